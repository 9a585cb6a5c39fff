"""A vault without room, as the source sees it: told at once, nothing lost, and carried on as soon as there is room."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from replicator.journal_rows import Waiting
from replicator.pending import Pending
from replicator.room import NO_ROOM, Room
from tests.replicator.source.pair import equal, replicating, settings, until, vault
from tests.support.disks import own_disk


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    with own_disk(tmp_path / "small", "12m") as folder:
        yield folder


def test_a_full_vault_is_told_and_what_it_refused_goes_when_there_is_room(tmp_path: Path, small: Path) -> None:
    """The condition names the vault and its reason; with room again all that was refused arrives, and it goes."""
    tree = tmp_path / "tree"
    tree.mkdir()
    ballast = small / "ballast"
    ballast.write_bytes(bytes(10_000_000))

    async def scenario() -> None:
        async with vault(small / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                for number in range(40):
                    (tree / f"minutes{number}").write_bytes(os.urandom(50_000))
                (tree / "large").write_bytes(os.urandom(1_500_000))
                await until(lambda: "vault:full" in running.conditions)
                (told,) = [each for each in running.replicator.conditions() if each.alarm == "vault:full"]
                assert "no space" in told.reason
                await until(lambda: server.status()["full"])
                assert running.source["pending"]
                ballast.unlink()
                await until(lambda: not running.conditions)
                await running.settle()
            await equal(tree, small / "vault")

    asyncio.run(scenario())


def test_the_first_that_is_taken_lets_the_others_go() -> None:
    """Many refused paths are tried a few a second, none waits for minutes; one that is taken makes all ready."""
    kept: list[Waiting | None] = []
    pending = Pending(lambda _path, waiting: kept.append(waiting))
    room = Room(pending)
    for number in range(100):
        pending.add(b"%d" % number, 1, 0.0)
    first, *others = pending.take(100, 0.0)
    for item in (first, *others):
        pending.retry(item, 0.0, room.refused("no room", 256.0), reason=f"{NO_ROOM}no room")
    assert room.lacking == "no room"
    assert 0 < (pending.next_due() or 0) < 10
    taken = pending.take(1, 30.0)
    assert room.taken(taken[0])
    pending.finish(taken[0], 30.0, sent=True)
    assert len(pending.take(200, 30.0)) == 99
    assert not room.lacking


def test_what_was_never_refused_says_nothing_of_room() -> None:
    """A small document may find the room that a large one does not: it lets nothing go."""
    pending = Pending(lambda *_: None)
    room = Room(pending)
    for path in (b"large", b"small"):
        pending.add(path, 1, 0.0)
    large, small = pending.take(2, 0.0)
    pending.retry(large, 0.0, room.refused("no room", 256.0), reason=f"{NO_ROOM}no room")
    assert not room.taken(small)
    assert room.lacking


def test_room_is_lacking_only_while_something_waits_for_it() -> None:
    """What was refused and is as the vault has it by then asks for no room; that another cannot be read is no lack."""
    pending = Pending(lambda *_: None)
    room = Room(pending)
    for path in (b"unreadable", b"first", b"second"):
        pending.add(path, 1, 0.0)
    unreadable, first, second = pending.take(3, 0.0)
    pending.retry(unreadable, 0.0, 1.0, reason="read: permission denied")
    pending.retry(first, 0.0, room.refused("seal object 1: no space", 1.0), reason=f"{NO_ROOM}seal object 1: no space")
    pending.retry(second, 0.0, room.refused("seal object 2: no space", 1.0), reason=f"{NO_ROOM}seal object 2: no space")
    pending.finish(second, 5.0)
    assert room.lacking
    pending.finish(first, 5.0)
    assert pending.aside
    assert not room.lacking
