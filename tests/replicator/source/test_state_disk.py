"""The disk of the replicator's own state fails, is full, or is gone with the process, at any step."""

import asyncio
import errno
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.replicator.source.faulty import BROKEN, Carried, apart, changes, worked
from tests.replicator.source.pair import equal, replicating, settings, vault
from tests.replicator.vault.test_crash_points import points
from tests.support import disk

#: Bytes of contents that may be under way, or not noted yet, when a process ends.
UNDER_WAY = 420_000


def whole(box: Path, **fault: Any) -> Carried:
    """What the work comes to."""

    async def scenario() -> Carried:
        async with worked(box, **fault) as carried:
            return carried

    return asyncio.run(scenario())


def steps_of(box: Path) -> tuple[Carried, Counter[str]]:
    """What the work comes to, and which steps a replicator takes on its disk for it, and how often."""
    log = box.with_suffix(".log")
    carried = whole(box, log=log)
    assert carried.code == 0
    return carried, Counter(name for step in disk.steps(log) if (name := disk.event(step, box / "state")))


def ended_at(box: Path, point: str, unbroken: Carried) -> bool:
    """End a replicator at this point; the next one carries what is left, and sends nothing that it need not.

    Raises:
        AssertionError: the vault does not show the tree, or what it had was sent to it again.
    """
    carried = whole(box, kill=point)
    assert carried.records <= unbroken.records + 12  # what was under way, and times of folders
    assert carried.bytes <= unbroken.bytes + UNDER_WAY
    return carried.code < 0


def test_ended_at_a_step_it_carries_the_rest(tmp_path: Path) -> None:
    """Killed at a step of its journal: the next one has what was pending, and what the vault has it does not send.

    Some of the points; `python -m tests.soak --only disk` takes all.
    """
    unbroken, seen = steps_of(tmp_path / "whole")
    assert {"make replicator", "write replicator", "flush replicator"} <= seen.keys()
    ended = [ended_at(tmp_path / str(number), point, unbroken) for number, point in enumerate(points(seen)[::5])]
    assert sum(ended) > len(ended) * 0.5, "the replicator did not get to where it was to end"


#: What a disk says that takes nothing.
REFUSALS = [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO]


def unwritable(told: dict[str, Any]) -> bool:
    """Whether a replicator says so, as a condition and in its status."""
    return "journal:unwritable" in told["conditions"] and not told["journal"]["writable"]


@pytest.mark.parametrize("error", REFUSALS, ids=errno.errorcode.get)
def test_a_disk_that_takes_nothing_stops_no_document(tmp_path: Path, error: int) -> None:
    """Full, over quota, read-only, broken for a while: told, carried all the same, and noted when it takes again."""
    tree = tmp_path / "tree"
    tree.mkdir()

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            with apart(tmp_path / "state", server.port, tree, fail=f"write replicator|{error}|40|2") as carrying:
                assert await carrying.calm()
                for number in range(60):
                    (tree / f"minutes{number}").write_bytes(b"x" * 3000)
                assert await carrying.says(unwritable)
                assert await carrying.calm()
                await equal(tree, tmp_path / "vault")
                assert await carrying.says(lambda told: not told["conditions"] and told["journal"]["writable"])
                assert await carrying.end() == 0
            before = server.status()["sources"]["docs"]["position"]
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                await running.settle()
            assert server.status()["sources"]["docs"]["position"] == before

    asyncio.run(scenario())


@pytest.mark.parametrize("flush", [4, 7, 12])
def test_a_flush_that_fails_costs_the_journal_and_no_document(tmp_path: Path, flush: int) -> None:
    """The pages may be gone, so the file is not believed any more: it is begun anew from the vault's list."""
    tree, state = tmp_path / "tree", tmp_path / "state"
    tree.mkdir()

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            with apart(state, server.port, tree, fail=f"flush replicator|{errno.EIO}|{flush}|1") as carrying:
                for _ in changes(tree):
                    await carrying.calm()
                assert not await carrying.says(lambda _: False)
                assert await carrying.end() == BROKEN
            assert list(state.glob("replicator.sqlite.damaged-*"))
            async with replicating(settings(state, server.port, tree)) as running:
                await running.settle()
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())
