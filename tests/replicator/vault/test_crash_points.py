"""The vault is ended at every step that it takes on its disk, not by luck but by name (FORMAT.md, After a crash)."""

from collections import Counter
from pathlib import Path

from tests.replicator.vault.faulty import Client, demand, doomed, work
from tests.support import disk


def steps_of(box: Path) -> Counter[str]:
    """Which steps the vault takes on its disk for the whole work, and how often."""
    box.mkdir()
    log = box.with_suffix(".log")
    client = Client(work())
    with doomed(box, log=log) as vault:
        client.run(vault.port)
        assert vault.end() == 0
    assert client.ended()
    return Counter(name for step in disk.steps(log) if (name := disk.event(step, box / "vault")))


def points(seen: Counter[str]) -> list[str]:
    """Before, within and after each kind of step, the first time and once in the middle."""
    return [
        f"{name}|{when}|{number}"
        for name, count in sorted(seen.items())
        for number in sorted({1, (count + 1) // 2})
        for when in ("before", "half", "after")
        if when != "half" or name.startswith("write")
    ]


def ended_at(box: Path, point: str) -> bool:
    """End a vault at this point, demand all that it acknowledged, and have the rest sent again; whether it ended there.

    Raises:
        AssertionError: something acknowledged was lost, or something is damaged.
    """
    box.mkdir()
    client = Client(work())
    with doomed(box, kill=point) as vault:
        client.run(vault.port)
        killed = vault.end() != 0
    demand(box / "vault", work(), client.done)
    client.finish(box / "vault")
    demand(box / "vault", work(), client.done)
    return killed


def test_ended_at_a_step_it_lost_nothing(tmp_path: Path) -> None:
    """Ended at a step: what was acknowledged is there, nothing is damaged, and the rest can be sent.

    Every fourth of the points; `python -m tests.soak --only disk` takes all.
    """
    seen = steps_of(tmp_path / "whole")
    assert {"write journal", "flush journal", "make journal", "flush-folder journal"} <= seen.keys()
    assert {"write incoming", "flush incoming", "rename objects", "flush-folder objects"} <= seen.keys()
    assert {"write catalog", "rename current", "rename mark", "flush current"} <= seen.keys()
    ended = [ended_at(tmp_path / str(number), point) for number, point in enumerate(points(seen)[::4])]
    assert sum(ended) > len(ended) * 0.8, "the vault did not get to where it was to end"
