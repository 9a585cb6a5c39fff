"""What events missed is counted, and nothing else is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from replicator import missed
from replicator.choice import BestWatcher
from replicator.missed import Missed
from tests.replicator.source.pair import equal, replicating, settings, until, vault


def test_a_find_counts_when_no_event_follows() -> None:
    """A path that a scan found and that was sent counts once no event has come for it in time."""
    count = Missed()
    count.found(b"a")
    count.sent(b"a", 10.0)
    count.settle(14.9)
    assert (count.total, count.newest) == (0, b"")
    count.settle(15.1)
    assert (count.total, count.newest) == (1, b"a")


@pytest.mark.parametrize("how", ["told before", "told after", "nothing was to be sent", "blind", "not found"])
def test_what_does_not_count(how: str) -> None:
    """A late event, a file that was as the vault has it, and what was found while blind are no misses."""
    count = Missed()
    if how != "not found":
        count.found(b"a")
    if how == "told before":
        count.told(b"a")
    if how == "nothing was to be sent":
        count.same(b"a")
    if how == "blind":
        count.forget()
    count.sent(b"a", 10.0)
    if how == "told after":
        count.told(b"a")
    count.settle(100.0)
    assert count.total == 0


def test_a_change_without_an_event_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that a scan finds although the watcher saw all is sent, counted, and named in the status."""
    tree = tmp_path / "tree"
    tree.mkdir()
    monkeypatch.setattr(missed, "_PATIENCE", 0.2)
    start = BestWatcher.start

    def deaf(self: BestWatcher, root: bytes, listener: Any) -> None:
        dirty = listener.dirty

        def tell(batch: Any) -> None:
            dirty([each for each in batch if each.path != b"unheard"])

        monkeypatch.setattr(listener, "dirty", tell)
        start(self, root, listener)

    monkeypatch.setattr(BestWatcher, "start", deaf)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                await running.settle()
                (tree / "heard").write_text("x")
                (tree / "unheard").write_text("x")
                running.replicator._sources[0].sight._ask()
                await running.settle()
                await until(lambda: running.source["missed"])
                assert (running.source["missed"], running.source["missed_newest"]) == (1, "unheard")
                assert running.metric("bongsu_replication_missed_total") == 1
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())
