"""The contract of `Archive`, over a vault's own disk and over the network."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.address import VaultAddress
from config.model import Config
from replicator.archive import Archive, open_archive
from replicator.change import Kind
from replicator.errors import DamagedError, UnknownError, VaultError
from replicator.item import Item
from replicator.local import LocalArchive
from replicator.messages import Checked, Damaged, Delete
from replicator.remote import RemoteArchive
from replicator.restore import restore
from tests.replicator.vault.support import (
    SOURCE,
    content,
    folder_meta,
    link_meta,
    look,
    opened,
    put,
    put_file,
    segments,
    serving,
    sha,
)

BIG = os.urandom(700_000)
Opener = Callable[[Path], contextlib.AbstractContextManager[Archive]]


@contextlib.contextmanager
def _near(root: Path) -> Iterator[Archive]:
    with LocalArchive(root) as archive:
        yield archive


@contextlib.contextmanager
def _far(root: Path) -> Iterator[Archive]:
    """A vault in a thread of its own, read over the network."""
    ready, done = threading.Event(), threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        async with serving(root) as server:
            ports.append(server.port)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        with RemoteArchive(VaultAddress("127.0.0.1", ports[0])) as archive:
            yield archive
    finally:
        done.set()
        thread.join()


@pytest.fixture(params=[_near, _far], ids=["local", "remote"])
def open_(request: pytest.FixtureRequest) -> Opener:
    """Each way to open an archive."""
    opener: Opener = request.param
    return opener


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A vault with two sources, all kinds, some history."""
    root = tmp_path / "vault"
    with opened(root) as bench:
        bench.say(put(b"d", folder_meta()))
        bench.file(b"d/a.txt", b"one")
        bench.file(b"d/a.txt", b"two")
        bench.file("d/문서.hwp".encode("cp949"), b"three")
        bench.file(b"gone", b"x")
        bench.say(Delete(id=0, source=SOURCE, path=b"gone"))
        bench.say(put(b"l", link_meta(b"d/a.txt")))
        upload = bench.store.objects.begin("t", len(BIG))
        upload.write(BIG)
        upload.finish(sha(BIG))
        upload.drop()
        bench.store.submit(item := Item(message=put_file(b"d/big", BIG), site="s", stored=True))
        assert bench.outcome(item) in {"done", "taken"}
        assert bench.say(put_file(b"d/big", BIG), stored=True) == "done"
        bench.say(put_file(b"other", b"", source="photos"))
    return root


def test_sources_and_their_positions(root: Path, open_: Opener) -> None:
    """Every source is named with its position."""
    with open_(root) as archive:
        assert archive.sources() == {SOURCE: 9, "photos": 2}


def test_the_tree_is_the_newest_state(root: Path, open_: Opener) -> None:
    """Kinds, states and bytes of all that is there, a folder before what is in it."""
    with open_(root) as archive:
        entries = list(archive.tree(SOURCE))
        assert [entry.path for entry in entries] == [
            b"d",
            b"d/a.txt",
            b"d/big",
            "d/문서.hwp".encode("cp949"),
            b"l",
        ]
        assert content(archive, entries[1].hash) == b"two"
        assert content(archive, entries[2].hash) == BIG
        assert entries[4].meta.target == b"d/a.txt"


def test_a_part_of_a_tree(root: Path, open_: Opener) -> None:
    """Paths limit a listing to themselves and what is below them; what is not there gives nothing."""
    with open_(root) as archive:
        assert [e.path for e in archive.tree(SOURCE, 0, [b"d/a.txt", b"l"])] == [b"d/a.txt", b"l"]
        assert len(list(archive.tree(SOURCE, 0, [b"d", b"d/a.txt"]))) == 4
        assert list(archive.tree(SOURCE, 0, [b"gone", b"never", b"d/a"])) == []


def test_the_past_of_a_path(root: Path, open_: Opener) -> None:
    """Every version, newest first, deletions too; any of them can be fetched."""
    with open_(root) as archive:
        versions = list(archive.past(SOURCE, b"d/a.txt"))
        assert [content(archive, version.hash) for version in versions] == [b"two", b"one"]
        assert versions[0].at_ns > versions[1].at_ns
        gone = list(archive.past(SOURCE, b"gone"))
        assert [version.meta is None for version in gone] == [True, False]
        assert list(archive.past(SOURCE, b"never")) == []
        at = versions[1].at_ns
        assert [e.path for e in archive.tree(SOURCE, at)] == [b"d", b"d/a.txt"]


def test_what_is_unknown_is_said_and_the_next_question_answered(root: Path, open_: Opener) -> None:
    """An error is an answer: it names the thing, and the archive works on."""
    with open_(root) as archive:
        with pytest.raises(UnknownError, match="nosuch"):
            list(archive.tree("nosuch"))
        with pytest.raises(UnknownError, match="nosuch"):
            list(archive.past("nosuch", b"a"))
        with pytest.raises(UnknownError):
            list(archive.fetch(bytes(32)))
        assert SOURCE in archive.sources()


def test_an_answer_may_be_left_half_read(root: Path, open_: Opener) -> None:
    """Closing an iterator early does not spoil the next answer."""
    with open_(root) as archive:
        half = archive.fetch(sha(BIG))
        next(half)
        half.close()
        entries = archive.tree(SOURCE)
        next(entries)
        entries.close()
        assert content(archive, sha(b"two")) == b"two"


def test_a_content_can_be_had_from_an_offset(root: Path, open_: Opener) -> None:
    """Who was interrupted goes on where he was."""
    with open_(root) as archive:
        assert b"".join(archive.fetch(sha(BIG), 300_001)) == BIG[300_001:]
        assert b"".join(archive.fetch(sha(b"three"), 2)) == b"ree"


def test_contents_asked_for_ahead_come_in_order(root: Path, open_: Opener) -> None:
    """Saying what will be fetched changes the time that it takes and nothing else, with a gap in the middle too."""
    wanted = [sha(b"one"), sha(BIG), bytes(32), sha(b"two"), sha(b"two"), sha(b"three")]
    with open_(root) as archive:
        archive.ahead(wanted)
        for digest in wanted:
            if digest == bytes(32):
                with pytest.raises(UnknownError):
                    list(archive.fetch(digest))
            else:
                content(archive, digest)
        archive.ahead(wanted)
        content(archive, sha(b"three"))  # not what was said
        content(archive, sha(b"one"))


def test_an_examination_counts_and_finds(root: Path, open_: Opener) -> None:
    """A whole vault has no faults; a changed byte in an object is one, with its name."""
    with open_(root) as archive:
        items = list(archive.examine())
        assert isinstance(items[-1], Checked)
        assert (items[-1].objects, items[-1].records) == (1, 12)
        path = root / "objects" / sha(BIG).hex()[:2] / sha(BIG).hex()
        data = bytearray(path.read_bytes())
        data[5] ^= 1
        path.chmod(0o600)
        path.write_bytes(data)
        found = [item for item in archive.examine() if isinstance(item, Damaged)]
        assert [(item.what, item.name) for item in found] == [("object", sha(BIG).hex())]


def test_damaged_bytes_are_never_restored(root: Path, open_: Opener, tmp_path: Path) -> None:
    """A file whose bytes are not what their hash says is left out and told; the rest is there."""
    path = segments(root)[0]
    path.write_bytes(path.read_bytes().replace(b"three", b"thr33"))
    with open_(root) as archive:
        done = restore(archive, tmp_path / "to", source=SOURCE)
    assert [name for name, _ in done.failed] == ["d/\\xb9\\xae\\xbc\\xad.hwp"]
    assert set(look(tmp_path / "to")) == {b"d", b"d/a.txt", b"d/big", b"l"}


def test_a_whole_tree_is_restored(root: Path, open_: Opener, tmp_path: Path) -> None:
    """Bytes, modes, times, links: the tree comes back as it was."""
    with open_(root) as archive:
        done = restore(archive, tmp_path / "to", source=SOURCE)
        assert (done.files, done.folders, done.links, done.failed) == (3, 1, 1, [])
        for entry in archive.tree(SOURCE):
            found = look(tmp_path / "to")[entry.path]
            assert found[0] == entry.meta.kind.value
            assert found[2] == entry.meta.mtime_ns
            if entry.meta.kind is not Kind.LINK:
                assert found[1] == entry.meta.mode


def test_a_configuration_names_a_vault(root: Path, tmp_path: Path) -> None:
    """`[vault]` is read from its disk, `[replicator]` over the network, and without either there is an error."""
    site = {"id": "s", "name": "s", "state": tmp_path}
    with open_archive(Config.model_validate({"site": site, "vault": {"listen": "127.0.0.1:0", "root": root}})) as near:
        assert isinstance(near, LocalArchive)
        assert SOURCE in near.sources()
    settings = {"vault": "bongsu://127.0.0.1:7700"}
    with open_archive(Config.model_validate({"site": site, "replicator": settings})) as far:
        assert isinstance(far, RemoteArchive)
    with pytest.raises(VaultError, match="none is configured"):
        open_archive(Config.model_validate({"site": site}))


def test_damage_has_a_hint() -> None:
    """The operator is told what to run."""
    from replicator.contents import checked

    with pytest.raises(DamagedError) as caught:
        list(checked(iter([b"x"]), bytes(32)))
    assert "verify" in caught.value.hint
