"""What the vault keeps of uploads that were cut: bounded, checked, and never in the way of documents."""

import asyncio
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from replicator.errors import StreamError
from replicator.local import LocalArchive
from replicator.messages import CHUNK, Chunk, Done, Have, Refused, Resume
from replicator.partial import AGE, MOST, STEP, Kept, to_drop
from tests.replicator.vault.support import SOURCE, Sender, content, put_file, sending, serving, sha, wait_until

BIG = os.urandom(3 * STEP + 777)


def resume(upload: int, *, path: bytes = b"big", size: int = len(BIG), identity: bytes = b"one") -> Resume:
    """A question for what is here of a file."""
    return Resume(upload=upload, source=SOURCE, path=path, size=size, identity=identity)


async def ask(sender: Sender, message: Resume) -> Have:
    """What is here of it."""
    have = await sender.say(message)
    assert isinstance(have, Have)
    assert have.upload == message.upload
    return have


async def bring(sender: Sender, upload: int, data: bytes, start: int, end: int) -> None:
    """Some of its bytes."""
    for offset in range(start, end, CHUNK):
        part = data[offset : min(offset + CHUNK, end)]
        await sender.stream.send(Chunk(upload=upload, offset=offset, size=len(data)), part)


def files(root: Path) -> list[Path]:
    """What is kept."""
    return sorted((root / "partial").iterdir())


async def half(root: Path, port: int, message: Resume | None = None, *, end: int = 2 * STEP + 5) -> None:
    """A connection that ends within the file, once all that it brought is there."""
    before = set(files(root))
    async with sending(port) as sender:
        assert (await ask(sender, message or resume(1))).offset == 0
        (mine,) = set(files(root)) - before
        await bring(sender, 1, BIG, 0, end)
        await wait_until(lambda: mine.stat().st_size == end)


async def finish(sender: Sender, upload: int) -> Done | object:
    """The file's `Put`."""
    return await sender.keep(replace(put_file(b"big", BIG), inline=False, upload=upload))


def test_an_upload_goes_on(tmp_path: Path) -> None:
    """What came is told with its hash, in whole steps; the rest makes it whole, and nothing is left."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            await half(tmp_path, server.port)
            async with sending(server.port) as sender:
                assert await ask(sender, resume(7)) == Have(upload=7, offset=2 * STEP, hash=sha(BIG[: 2 * STEP]))
                await bring(sender, 7, BIG, 2 * STEP, len(BIG))
                assert isinstance(await finish(sender, 7), Done)
            assert not files(tmp_path)
            with LocalArchive(tmp_path) as archive:
                assert content(archive, sha(BIG)) == BIG

    asyncio.run(scenario())


def test_a_sender_may_begin_anew(tmp_path: Path) -> None:
    """A chunk at 0 empties what is here."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            await half(tmp_path, server.port)
            async with sending(server.port) as sender:
                assert (await ask(sender, resume(1))).offset == 2 * STEP
                await bring(sender, 1, BIG, 0, len(BIG))
                assert isinstance(await finish(sender, 1), Done)

    asyncio.run(scenario())


def test_only_the_same_state_of_the_same_file_goes_on(tmp_path: Path) -> None:
    """Another identity or length begins at 0 and takes the place of the old; another path has its own."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            await half(tmp_path, server.port)
            await half(tmp_path, server.port, resume(1, path=b"other"))
            assert len(files(tmp_path)) == 2
            await half(tmp_path, server.port, resume(1, identity=b"two"))
            assert len(files(tmp_path)) == 2
            async with sending(server.port, site="sancheong") as sender:
                assert (await ask(sender, resume(3, size=len(BIG) + 1))).offset == 0
                assert (await ask(sender, resume(4, path=b"other"))).offset == 2 * STEP

    asyncio.run(scenario())


def test_bytes_that_are_not_the_file_are_refused_and_gone(tmp_path: Path) -> None:
    """A resumed upload is hashed as a whole: a wrong half is no version, and is not offered again."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            await half(tmp_path, server.port)
            async with sending(server.port) as sender:
                await ask(sender, resume(1))
                await bring(sender, 1, BIG[: 2 * STEP] + bytes(len(BIG) - 2 * STEP), 2 * STEP, len(BIG))
                answer = await finish(sender, 1)
                assert isinstance(answer, Refused)
                assert answer.again
                assert (await ask(sender, resume(2))).offset == 0

    asyncio.run(scenario())


def test_one_half_has_one_sender(tmp_path: Path) -> None:
    """A second upload of the same state is none that goes on; it arrives on its own."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            await half(tmp_path, server.port)
            async with sending(server.port) as sender:
                assert (await ask(sender, resume(1))).offset == 2 * STEP
                assert (await ask(sender, resume(2))).offset == 0
                await bring(sender, 2, BIG, 0, len(BIG))
                assert isinstance(await finish(sender, 2), Done)
                await bring(sender, 1, BIG, 2 * STEP, len(BIG))
                assert isinstance(await finish(sender, 1), Done)

    asyncio.run(scenario())


def test_what_no_sender_says_ends_the_connection_only(tmp_path: Path) -> None:
    """A number that is taken, a size that is none, a stranger's source, a chunk beside what is here."""
    bad: list[list[Resume | Chunk]] = [
        [resume(0)],
        [resume(1, size=-1)],
        [resume(1, size=2**63)],
        [replace(resume(1), source="stranger")],
        [resume(1), resume(1)],
        [resume(1), Chunk(upload=1, offset=5, size=len(BIG))],
        [resume(1), Chunk(upload=1, offset=0, size=5)],
        [resume(number, path=b"%d" % number) for number in range(1, 70)],
    ]

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            for messages in bad:
                async with sending(server.port) as sender:
                    for message in messages:
                        await sender.stream.send(message)
                    assert await _ended(sender), messages[:2]
            await half(tmp_path, server.port)
            await wait_until(lambda: len(files(tmp_path)) == 1)

    asyncio.run(scenario())


async def _ended(sender: Sender) -> bool:
    """Wait for the connection's end, said or not: what was on its way may overtake the reason."""
    try:
        while True:
            await sender.hear()
    except StreamError as error:
        return "silent" not in str(error)


def test_halves_are_few(tmp_path: Path) -> None:
    """More than the most are never kept: the oldest go."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            for number in range(0, MOST + 10, 10):
                async with sending(server.port) as sender:
                    for each in range(1, 11):
                        await ask(sender, resume(each, path=b"%d" % (number + each)))
                        await bring(sender, each, BIG, 0, STEP)
                    await wait_until(lambda: _all_here(tmp_path))
            await wait_until(lambda: len(files(tmp_path)) == MOST)

    asyncio.run(scenario())


def _all_here(root: Path) -> bool:
    return all(path.stat().st_size == STEP for path in files(root))


@given(
    st.lists(st.builds(Kept, st.uuids().map(str), st.integers(0, 2**40), st.floats(0, 2 * AGE)), max_size=100),
    st.integers(0, 2**44),
)
def test_halves_leave_room(kept: list[Kept], free: int) -> None:
    """What stays is young, few, and a quarter of the room; nothing goes that is newer than one that stays."""
    gone = set(to_drop(kept, 2 * AGE, free))
    stay = [each for each in kept if each.name not in gone]
    assert len(stay) <= MOST
    assert all(2 * AGE - each.at < AGE for each in stay)
    assert sum(each.bytes for each in stay) <= (free + sum(each.bytes for each in kept)) // 4
    dropped = [each.at for each in kept if each.name in gone and 2 * AGE - each.at < AGE]
    assert not stay or not dropped or max(dropped) <= min(each.at for each in stay)
