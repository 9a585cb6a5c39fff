"""A line with delay, loss and little room, cut without a word: the kernel's own TCP at both ends."""

import os
from pathlib import Path

import pytest

from replicator.stream import SILENCE
from tests.replicator.source.far import far_vault, near
from tests.replicator.source.pair import equal, replicating, until
from tests.replicator.source.test_silent import silences
from tests.support.wan import Quality, wan

#: 50 ms one way and back, 5 % lost, 10 Mbit/s.
BAD = Quality(delay=0.025, loss=0.05, rate=10e6 / 8)


def changes(tree: Path, count: int, paths: int) -> int:
    """So many changes of so many files; how many bytes they hold at the end."""
    for number in range(count):
        (tree / f"d{number % 10}" / f"f{number % paths}").write_bytes(b"%d" % number * 200)
    return sum(path.stat().st_size for path in tree.glob("d*/*"))


def test_a_line_that_says_nothing_is_dead_within_ten_seconds() -> None:
    """Both ends beat each second and give up within 10 s; `python -m tests.soak --only line` measures it."""
    assert SILENCE < 10


def test_a_bad_line_that_is_cut_costs_neither_files_nor_scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends notice a line that is cut without a word; when it is back what changed goes over it once, unscanned."""
    monkeypatch.setattr("replicator.stream.SILENCE", 3.0)
    tree = tmp_path / "tree"
    for number in range(10):
        (tree / f"d{number}").mkdir(parents=True)

    with wan(BAD) as line, far_vault(line, tmp_path, tree) as far:

        async def scenario() -> None:
            async with replicating(far.config) as running:
                changes(tree, 100, 100)
                (tree / "large").write_bytes(os.urandom(300_000))
                await running.settle()
                await equal(tree, tmp_path / "vault-root")
                scanned = running.source["scanned_at"]
                line.cut = True
                kept = changes(tree, 5000, 200)
                await until(lambda: not running.replicator.status()["vault"]["connected"])
                await until(lambda: not far.hears)
                await until(lambda: silences(far.server))
                await until(lambda: running.source["pending"] >= 200)
                assert running.source["pending"] <= 200 + 10
                before = line.bytes[0]
                line.cut = False
                await running.settle()
                await equal(tree, tmp_path / "vault-root")
                assert running.source["scanned_at"] == scanned
                assert line.bytes[0] - before < 2 * kept + 200_000

        near(line, scenario)
