"""What the vault's server takes, and what ends a connection and nothing else."""

import asyncio
import errno
import os
import random
import shutil
import socket
import struct
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from config.model import Vault
from replicator.errors import FaultError, StreamError, TlsError, VaultError
from replicator.local import LocalArchive
from replicator.messages import (
    CHUNK,
    INLINE,
    PROTOCOL,
    Beat,
    Cancel,
    Chunk,
    Delete,
    Done,
    End,
    Examine,
    Fetch,
    FromVault,
    Hello,
    Listed,
    Mark,
    Need,
    Refused,
    Seal,
    ToVault,
    Tree,
    Welcome,
)
from replicator.objects import Objects
from replicator.stream import Stream, connect
from replicator.vault import VaultServer
from replicator.wire import PAYLOAD_MAX
from tests.replicator.vault.support import (
    LIMIT,
    SITE,
    SOURCE,
    content,
    faults,
    file_meta,
    folder_meta,
    half_written,
    link_meta,
    look,
    put,
    put_file,
    sending,
    serving,
    sha,
    tree,
    wait_until,
)


def test_a_file_goes_the_whole_way(tmp_path: Path) -> None:
    """Put, acknowledged, shown in `current/` as a plain file with mode and time."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            answer = await sender.file("문서/보고서.hwp".encode("cp949"), b"hello")
            assert answer == Done(ids=[1], positions={SOURCE: 2})
            await wait_until(lambda: server.status()["current"]["behind"] == 0)
            assert server.status()["sources"][SOURCE]["position"] == 2

    asyncio.run(scenario())
    found = look(tmp_path / "current" / SOURCE)
    meta = file_meta(b"hello")
    assert found["문서/보고서.hwp".encode("cp949")] == ("file", meta.mode, meta.mtime_ns, b"hello")


@pytest.mark.parametrize("size", [INLINE + 1, 3 * CHUNK, 5_000_001])
def test_a_large_file_comes_in_chunks(tmp_path: Path, size: int) -> None:
    """What is over a mebibyte becomes an object of its own, the rest rides in its record; it is here from then on."""
    data = os.urandom(size)

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            assert isinstance(await sender.file(b"large", data), Done)
            assert isinstance(await sender.keep(replace(put_file(b"copy", data), inline=False)), Done)

    asyncio.run(scenario())
    with LocalArchive(tmp_path) as archive:
        assert content(archive, sha(data)) == data
    path = Objects(tmp_path).path(sha(data))
    assert (path.stat().st_mode & 0o777 == 0o444) if size > PAYLOAD_MAX else not path.exists()
    assert half_written(tmp_path) == []
    assert faults(tmp_path) == []


def test_a_mark_waits_for_what_is_before_it_and_leaves_nothing(tmp_path: Path) -> None:
    """The answer to a mark comes after that to the put before it, and no position moves by it."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            await sender.stream.send(put_file(b"a", b"hello", number=1), b"hello")
            await sender.stream.send(Mark(id=2, source=SOURCE))
            numbers: list[int] = []
            while 2 not in numbers:
                answer, _ = await sender.hear()
                assert answer == Done(ids=getattr(answer, "ids", []), positions={SOURCE: 2})
                numbers += answer.ids
            assert numbers == [1, 2]
            await sender.stream.send(Mark(id=3, source=SOURCE))
            assert (await sender.hear())[0] == Done(ids=[3], positions={SOURCE: 2})
            await sender.stream.send(Mark(id=4, source="other"))
            answer, _ = await sender.hear()
            assert isinstance(answer, Refused)
            assert answer.code == "source"

    asyncio.run(scenario())
    assert tree(tmp_path).keys() == {b"a"}


def test_uploads_may_be_interleaved_and_given_up(tmp_path: Path) -> None:
    """Two uploads side by side end as what each of them said; a cancelled one leaves nothing."""
    one, two = os.urandom(3 * CHUNK), os.urandom(2 * CHUNK)

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            for offset in range(0, len(one), CHUNK):
                for number, data in ((1, one), (2, two), (3, one)):
                    if part := data[offset : offset + CHUNK]:
                        await sender.stream.send(Chunk(upload=number, offset=offset, size=len(data)), part)
            await sender.stream.send(Cancel(upload=3))
            assert isinstance(await sender.keep(replace(put_file(b"two", two), inline=False, upload=2)), Done)
            assert isinstance(await sender.keep(replace(put_file(b"one", one), inline=False, upload=1)), Done)
            gone = await sender.keep(replace(put_file(b"three", one + two), inline=False, upload=3))
            assert isinstance(gone, Refused)
            assert (gone.code, gone.again) == ("upload", True)
            assert half_written(tmp_path) == []

    asyncio.run(scenario())
    assert {path: entry.hash for path, entry in tree(tmp_path).items()} == {b"one": sha(one), b"two": sha(two)}


@pytest.mark.parametrize(("size", "code"), [(200_000, "hash"), (2_000_000, "upload")])
def test_an_upload_with_other_bytes_is_refused(tmp_path: Path, size: int, code: str) -> None:
    """The hash of an upload is checked before it gets a name or a record."""
    data = os.urandom(size)

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            await sender.chunks(1, data)
            answer = await sender.keep(replace(put_file(b"a", data[::-1]), inline=False, upload=1))
            assert isinstance(answer, Refused)
            assert answer.code == code

    asyncio.run(scenario())
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []
    with LocalArchive(tmp_path) as archive:
        assert archive.sources() == {}


def test_what_is_an_object_is_not_written_to_the_journal_too(tmp_path: Path) -> None:
    """A file that comes in chunks and would ride in its record does not where its content is an object already."""
    data = os.urandom(3 * CHUNK)

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            Objects(tmp_path).keep(iter([data]), sha(data), len(data))
            assert isinstance(await sender.file(b"a", data), Done)

    asyncio.run(scenario())
    assert (tmp_path / "journal" / "00000001.seg").stat().st_size < len(data)
    with LocalArchive(tmp_path) as archive:
        assert content(archive, sha(data)) == data


def test_named_zeros_take_no_room(tmp_path: Path) -> None:
    """A hole that is only named is a hole of an object, however short the file."""
    data = bytes(3 * CHUNK) + b"end"

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            await sender.stream.send(Chunk(upload=1, offset=0, size=len(data), zeros=3 * CHUNK))
            await sender.stream.send(Chunk(upload=1, offset=3 * CHUNK, size=len(data)), b"end")
            assert isinstance(await sender.keep(replace(put_file(b"a", data), inline=False, upload=1)), Done)

    asyncio.run(scenario())
    assert (tmp_path / "journal" / "00000001.seg").stat().st_size < CHUNK
    with LocalArchive(tmp_path) as archive:
        assert content(archive, sha(data)) == data


@pytest.mark.parametrize(("path", "gone"), [(b"a", b"a"), (b"d/e/a", b"d")])
def test_order_holds_for_a_path_while_its_upload_is_finished(tmp_path: Path, path: bytes, gone: bytes) -> None:
    """A deletion right behind a large put of the path, or in it, comes after it, and a seal after everything."""
    data = os.urandom(2_000_000)

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            await sender.chunks(1, data)
            stream = sender.stream
            await stream.send(replace(put_file(path, data, number=1), inline=False, upload=1))
            await stream.send(Delete(id=2, source=SOURCE, path=gone))
            await stream.send(Seal(id=3, source=SOURCE, name="alarm:x"))
            ids: list[int] = []
            while len(ids) < 3:
                message, _ = await sender.hear()
                assert isinstance(message, Done)
                ids += message.ids
            assert ids == [1, 2, 3]

    asyncio.run(scenario())
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    "message",
    [
        put_file(b"../out", b""),
        put_file(b"/etc/passwd", b""),
        put_file(b"a/../../out", b""),
        put_file(b"", b""),
        put_file(b"a\0b", b""),
        put_file(b"x" * 256, b""),
        put_file(b"d/" * 2100 + b"f", b""),
        put_file(b"a", b"", mode=0o10000),
        put_file(b"a", b"", mode=-1),
        put_file(b"a", b"", mtime_ns=2**63),
        replace(put_file(b"a", b""), hash=b"short"),
        put(b"a", link_meta(b"")),
        put(b"a", link_meta(b"x" * 5000)),
        put(b"a", link_meta(b"a\0b")),
        replace(put(b"a", folder_meta()), hash=sha(b"")),
        replace(put(b"a", folder_meta()), inline=True),
        Delete(id=0, source=SOURCE, path=b".."),
        Seal(id=0, source=SOURCE, name="x" * 1000),
        Seal(id=0, source=SOURCE, name="x", pending=2**64 - 1),
    ],
)
def test_what_no_honest_sender_says_is_refused(tmp_path: Path, message: ToVault) -> None:
    """Hostile paths and states are refused for good, one by one; the connection and the others live on."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            answer = await sender.keep(message)  # type: ignore[arg-type]
            assert isinstance(answer, Refused)
            assert (answer.code, answer.again) == ("path", False)
            assert isinstance(await sender.file(b"good", b"x"), Done)

    asyncio.run(scenario())
    assert set(tree(tmp_path)) == {b"good"}


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    """A link to a folder elsewhere, then a file below it: the file lands in the vault, or nowhere."""
    root, outside = tmp_path / "vault", tmp_path / "outside"
    outside.mkdir()

    async def scenario() -> None:
        async with serving(root) as server, sending(server.port) as sender:
            await sender.keep(put(b"way", link_meta(os.fsencode(outside))))
            await wait_until(lambda: server.status()["current"]["behind"] == 0)
            await sender.file(b"way/file", b"x")
            await sender.keep(put(b"b", link_meta(b"../../../outside")))
            await sender.file(b"b/c/file", b"x")
            await wait_until(lambda: server.status()["current"]["behind"] == 0)

    asyncio.run(scenario())
    assert list(outside.iterdir()) == []
    assert (root / "current" / SOURCE / "way" / "file").read_bytes() == b"x"


def test_a_source_must_have_been_named(tmp_path: Path) -> None:
    """A sender writes to the sources of its greeting and no others."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            answer = await sender.keep(put_file(b"a", b"", source="other"))
            assert isinstance(answer, Refused)
            assert answer.code == "source"

    asyncio.run(scenario())


def test_a_new_connection_takes_over(tmp_path: Path) -> None:
    """The newest sender of a source is the live one; the old one is told, and ended first."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as old:
            await old.file(b"a", b"1")
            async with sending(server.port) as new:
                assert new.welcome.positions == {SOURCE: 2}
                with pytest.raises(FaultError) as caught:
                    await old.hear()
                assert caught.value.code == "replaced"
                assert isinstance(await new.file(b"a", b"2"), Done)
            async with sending(server.port, "another") as other, sending(server.port) as again:
                assert isinstance(await other.keep(put_file(b"a", b"1", source="another"), b"1"), Done)
                assert isinstance(await again.file(b"a", b"3"), Done)

    asyncio.run(scenario())


def test_another_site_may_not_take_a_source(tmp_path: Path) -> None:
    """A source belongs to the site that brought it."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            async with sending(server.port) as sender:
                await sender.file(b"a", b"1")
            with pytest.raises(FaultError) as caught:
                async with sending(server.port, site="elsewhere"):
                    pass
            assert caught.value.code == "taken"

    asyncio.run(scenario())


def test_a_sender_may_list_its_sources(tmp_path: Path) -> None:
    """For reconciliation a sender asks for the tree, and gets what is durable now."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            for number in range(300):
                await sender.file(b"f%03d" % number, b"x")
            answer = await sender.say(Tree(source=SOURCE))
            paths: list[bytes] = []
            while isinstance(answer, Listed):
                paths += [path for path, _, _ in answer.entries]
                answer = (await sender.hear())[0]
            assert paths == [b"f%03d" % number for number in range(300)]
            assert isinstance(await sender.keep(replace(put_file(b"z", b"new"), inline=False)), Need)

    asyncio.run(scenario())


def test_many_sources_send_large_files_at_once(tmp_path: Path) -> None:
    """A sender has two uploads of each source under way: with forty sources that is no fault."""
    names = [f"source-{number}" for number in range(40)]
    data = os.urandom(1000)

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port, *names) as sender:
            for upload in range(1, 81):
                await sender.stream.send(Chunk(upload=upload, offset=0, size=2000), data)
            assert isinstance(await sender.keep(put_file(b"f", b"x", source=names[0]), b"x"), Done)

    asyncio.run(scenario())


def test_a_disk_that_does_not_answer_does_not_silence_the_vault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever hears no beat takes the vault for lost: the gauge of its disk must not end it."""
    asked: list[Path] = []

    def unanswered(path: Path) -> None:
        asked.append(path)
        raise OSError(errno.EIO, "input/output error")

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            monkeypatch.setattr(shutil, "disk_usage", unanswered)
            heard = 0
            while heard < 2:
                message, _ = await sender.stream.receive(30)
                heard += isinstance(message, Beat) and bool(asked)

    asyncio.run(scenario())


def test_a_sender_may_ask_again_at_once(tmp_path: Path) -> None:
    """The second question is answered after the first, however soon it comes."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            await sender.file(b"f", b"x")
            for _ in range(3):
                await sender.stream.send(Tree(source=SOURCE))
            heard = [type((await sender.hear())[0]) for _ in range(6)]
            assert heard == [Listed, End] * 3

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("reader", put_file(b"a", b"")),
        ("reader", Delete(id=1, source=SOURCE, path=b"a")),
        ("reader", Chunk(upload=1, offset=0, size=1)),
        ("reader", Examine(repair=True)),
        ("sender", Fetch(hash=bytes(32))),
        ("sender", Tree(source="other")),
        ("sender", Chunk(upload=1, offset=5, size=10)),
        ("sender", Chunk(upload=1, offset=0, size=0)),
        ("sender", Chunk(upload=1, offset=0, size=2**40, zeros=2**20 + 1)),
        ("sender", Chunk(upload=1, offset=0, size=10, zeros=-1)),
        ("sender", Chunk(upload=1, offset=0, size=10, zeros=11)),
        ("sender", Hello(protocol=PROTOCOL, role="sender", site=SITE)),
    ],
)
def test_each_role_has_its_words(tmp_path: Path, role: str, message: ToVault) -> None:
    """Whoever says what is not his to say is told so and loses the connection."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            stream = await connect("127.0.0.1", server.port)
            await stream.send(Hello(protocol=PROTOCOL, role=role, site=SITE, sources=[SOURCE]))
            assert isinstance((await stream.receive(LIMIT))[0], Welcome)
            await stream.send(message, b"x" * (5 if isinstance(message, Chunk) and not message.zeros else 0))
            with pytest.raises(FaultError) as caught:
                await _until_the_end(stream)
            assert caught.value.code == "wire"
            await stream.close()

    asyncio.run(scenario())
    assert not (tmp_path / "current" / SOURCE).exists()


async def _until_the_end(stream: Stream[FromVault]) -> None:
    while True:
        await stream.receive(LIMIT)


@pytest.mark.parametrize(
    "hello",
    [
        Beat(now_ns=1),
        Hello(protocol=PROTOCOL + 1, role="sender", site=SITE),
        Hello(protocol=PROTOCOL, role="admin", site=SITE),
        Hello(protocol=PROTOCOL, role="sender", site="../x"),
        Hello(protocol=PROTOCOL, role="sender", site=SITE, sources=["../x"]),
    ],
)
def test_a_bad_greeting_is_refused(tmp_path: Path, hello: ToVault) -> None:
    """Without a greeting that the vault knows there is no conversation, and the reason is said."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            stream = await connect("127.0.0.1", server.port)
            await stream.send(hello)
            with pytest.raises(FaultError):
                await stream.receive(LIMIT)
            await stream.close()

    asyncio.run(scenario())


async def _works(server: VaultServer, name: bytes) -> None:
    async with sending(server.port) as sender:
        assert isinstance(await sender.file(name, name), Done)


def test_junk_ends_its_own_connection_only(tmp_path: Path) -> None:
    """Junk, half frames, huge lengths and sudden ends disturb nobody, while a good sender works beside them."""
    chance = random.Random(4)
    junk = [chance.randbytes(chance.randrange(1, 2000)) for _ in range(40)]
    junk += [struct.pack(">I", 2**32 - 1), b"\0\0\0\5\0", b"GET / HTTP/1.1\r\n\r\n", b""]

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port, "steady") as steady:
            for number, data in enumerate(junk):
                stream = socket.create_connection(("127.0.0.1", server.port))
                with stream:
                    stream.sendall(data)
                    answer = await steady.keep(put_file(b"f%d" % number, data, source="steady"), data)
                    assert isinstance(answer, Done)
            await _works(server, b"after")
            await wait_until(lambda: server.status()["connections"] == 1)

    asyncio.run(scenario())


def test_who_never_greets_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that trickles bytes without a greeting ends, and others are served meanwhile."""
    monkeypatch.setattr("replicator.greeting.greet.__defaults__", (0.3,))

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await _works(server, b"a")
            async with asyncio.timeout(LIMIT):
                assert await reader.read() == b""
            writer.close()

    asyncio.run(scenario())


def test_the_vault_beats(tmp_path: Path) -> None:
    """A sender hears from the vault though it has nothing to say."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            stream = await connect("127.0.0.1", server.port)
            await stream.send(Hello(protocol=PROTOCOL, role="sender", site=SITE, sources=[SOURCE]))
            await stream.receive(LIMIT)
            message, _ = await stream.receive(LIMIT)
            assert isinstance(message, Beat)
            await stream.send(Beat(now_ns=1, pending=7, pending_bytes=70, oldest_ns=3))
            await stream.send(replace(put_file(b"a", b"", number=1)))
            await wait_until(lambda: server.status()["sources"].get(SOURCE, {}).get("pending") == 7)
            assert server.status()["sources"][SOURCE]["connected"]
            await stream.close()
            await wait_until(lambda: not server.status()["sources"][SOURCE]["connected"])
            assert server.status()["sources"][SOURCE]["pending"] == 7

    asyncio.run(scenario())


def test_a_reader_hears_the_vault_too(tmp_path: Path) -> None:
    """A reader that waits for a long answer knows that the vault lives."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            stream = await connect("127.0.0.1", server.port)
            await stream.send(Hello(protocol=PROTOCOL, role="reader", site=SITE))
            assert isinstance((await stream.receive(LIMIT))[0], Welcome)
            assert isinstance((await stream.receive(LIMIT))[0], Beat)
            await stream.close()

    asyncio.run(scenario())


def test_what_happens_is_counted(tmp_path: Path) -> None:
    """Positions are shown from the start; refusals and dropped connections are counted by reason."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            await sender.file(b"a", b"x")
        registry = CollectorRegistry()
        settings = Vault(listen="127.0.0.1:0", root=tmp_path)
        server = VaultServer(settings, registry=registry)
        await server.start()
        try:
            assert registry.get_sample_value("bongsu_vault_position", {"source": SOURCE}) == 2
            assert registry.get_sample_value("bongsu_vault_refused_total", {"reason": "path"}) == 0
            async with sending(server.port) as sender:
                await sender.keep(put_file(b"..", b""))
                await sender.file(b"b", b"xyz")
                with socket.create_connection(("127.0.0.1", server.port)) as junk:
                    junk.sendall(b"\xff" * 20)
                    wrong = {"reason": "wire"}
                    await wait_until(lambda: registry.get_sample_value("bongsu_vault_dropped_total", wrong) == 1)
            assert registry.get_sample_value("bongsu_vault_refused_total", {"reason": "path"}) == 1
            assert registry.get_sample_value("bongsu_vault_position", {"source": SOURCE}) == 3
            assert registry.get_sample_value("bongsu_vault_received_bytes_total") == 3
        finally:
            await server.stop()

    asyncio.run(scenario())


def test_a_broken_disk_ends_the_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that fails is told to the daemon and to every sender, and nothing is acknowledged."""

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            monkeypatch.setattr(os, "fdatasync", broken)
            with pytest.raises(FaultError) as caught:
                await sender.file(b"a", b"x")
            assert caught.value.code == "broken"
            async with asyncio.timeout(LIMIT):
                assert "input/output error" in str(await server.failed())
            monkeypatch.undo()

    asyncio.run(scenario())
    assert not (tmp_path / "current" / SOURCE / "a").exists()


def test_plain_tcp_is_for_loopback(tmp_path: Path) -> None:
    """A vault without certificates does not listen to the network."""

    async def scenario() -> None:
        with pytest.raises(TlsError, match="loopback"):
            async with serving(tmp_path):
                pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("replicator.vault.parse_listen", lambda _: type("A", (), {"host": "0.0.0.0", "port": 0}))
        asyncio.run(scenario())


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """The error says which address, and the vault can be started again."""

    async def scenario() -> None:
        async with serving(tmp_path / "one") as server:
            settings = Vault(listen=f"127.0.0.1:{server.port}", root=tmp_path / "two")
            second = VaultServer(settings, registry=CollectorRegistry())
            with pytest.raises(VaultError, match=str(server.port)):
                await second.start()
        async with serving(tmp_path / "two") as again:
            await _works(again, b"a")

    asyncio.run(scenario())


def test_nobody_there_is_said(tmp_path: Path) -> None:
    """Connecting to a port where nothing listens gives a reason and a hint."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StreamError, match=str(port)) as caught:
        asyncio.run(connect("127.0.0.1", port))
    assert caught.value.hint
