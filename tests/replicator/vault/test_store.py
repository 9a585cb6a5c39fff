"""What the store keeps, and what it says to each item."""

import errno
import os
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from replicator.change import Kind
from replicator.errors import BrokenError, LockedError
from replicator.item import Item
from replicator.local import LocalArchive
from replicator.messages import Delete, Put, Seal
from tests.replicator.vault.support import (
    SOURCE,
    content,
    faults,
    folder_meta,
    link_meta,
    opened,
    put,
    put_file,
    segments,
    sha,
    tree,
)


def test_a_file_is_kept(tmp_path: Path) -> None:
    """What was acknowledged can be read, by another reader, with its state and bytes."""
    with opened(tmp_path) as bench:
        assert bench.file(b"a/b.txt", b"hello") == "done"
        entry = tree(tmp_path)[b"a/b.txt"]
        assert entry.meta.mode == 0o640
        with LocalArchive(tmp_path) as archive:
            assert content(archive, entry.hash) == b"hello"


def test_the_same_state_again_is_no_new_record(tmp_path: Path) -> None:
    """A sender may say everything twice: positions do not move."""
    with opened(tmp_path) as bench:
        bench.file(b"a", b"x")
        before = bench.store.positions()
        assert bench.file(b"a", b"x") == "done"
        assert bench.say(Delete(id=0, source=SOURCE, path=b"never")) == "done"
        assert bench.store.positions() == before
    with opened(tmp_path) as bench:
        assert bench.file(b"a", b"x") == "done"
        assert bench.store.positions() == before


def test_bytes_that_are_here_are_not_asked_for(tmp_path: Path) -> None:
    """A content is stored once: a copy or rename needs no bytes, in the same batch or after a restart."""
    data = os.urandom(50_000)
    bare = replace(put_file(b"b", data), inline=False)
    with opened(tmp_path) as bench:
        assert bench.say(bare) == "need"
        bench.file(b"a", data)
        assert bench.say(bare) == "done"
        assert bench.file(b"c", data) == "done"
    size = sum(path.stat().st_size for path in segments(tmp_path))
    assert size < 60_000
    with opened(tmp_path) as bench:
        assert bench.say(replace(bare, path=b"d")) == "done"
    with LocalArchive(tmp_path) as archive:
        assert {content(archive, entry.hash) for entry in archive.tree(SOURCE)} == {data}


@pytest.mark.parametrize(
    ("message", "payload", "code"),
    [
        (put_file(b"a", b"xy"), b"x", "size"),
        (put_file(b"a", b"xy"), b"xz", "hash"),
    ],
)
def test_bytes_are_checked(tmp_path: Path, message: Put, payload: bytes, code: str) -> None:
    """The vault trusts neither length nor hash."""
    with opened(tmp_path) as bench:
        assert bench.say(message, payload) == code
        assert bench.store.positions() == {}


def test_an_empty_file_needs_no_bytes(tmp_path: Path) -> None:
    """Nothing is a content, too."""
    with opened(tmp_path) as bench:
        assert bench.say(replace(put_file(b"a", b""), inline=False)) == "done"
        assert bench.file(b"b", b"") == "done"
    assert set(tree(tmp_path)) == {b"a", b"b"}
    assert faults(tmp_path) == []


def test_a_source_belongs_to_its_first_site(tmp_path: Path) -> None:
    """Two sites with the same source id do not mix, also after a restart."""
    with opened(tmp_path) as bench:
        assert bench.say(put_file(b"a", b"x"), b"x", site="one") == "done"
        assert bench.say(put_file(b"b", b"x"), b"x", site="two") == "taken"
    with opened(tmp_path) as bench:
        assert bench.say(put_file(b"b", b"x"), b"x", site="two") == "taken"
        assert bench.store.sites() == {SOURCE: "one"}


def test_a_seal_is_a_record(tmp_path: Path) -> None:
    """A recovery point takes a position of its own and is kept."""
    with opened(tmp_path) as bench:
        bench.file(b"a", b"x")
        before = bench.store.positions()[SOURCE]
        assert bench.say(Seal(id=0, source=SOURCE, name="alarm:fire", pending=3)) == "done"
        assert bench.store.positions()[SOURCE] == before + 1
    assert faults(tmp_path) == []


def test_times_rise_whatever_the_clock_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is set back does not set records back."""
    with opened(tmp_path) as bench:
        bench.file(b"a", b"1")
        monkeypatch.setattr(time, "time_ns", lambda: 5)
        for n in range(3):
            bench.file(b"a", b"2%d" % n)
    with LocalArchive(tmp_path) as archive:
        times = [version.at_ns for version in archive.past(SOURCE, b"a")]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 4
    assert faults(tmp_path) == []


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    """A second writer is refused with a reason; a reader is not."""
    with opened(tmp_path) as bench:
        bench.file(b"a", b"x")
        with pytest.raises(LockedError, match="another process"):
            opened(tmp_path).__enter__()
        assert set(tree(tmp_path)) == {b"a"}


def test_a_folder_takes_along_what_is_below_it(tmp_path: Path) -> None:
    """A folder that ends without its children being named ends their histories, too: they do not come back with it."""
    with opened(tmp_path) as bench:
        bench.say(put(b"d", folder_meta()))
        bench.file(b"d/a", b"1")
        bench.store.close()
    with opened(tmp_path) as bench:
        bench.file(b"d/b", b"2")
        assert bench.say(Delete(id=0, source=SOURCE, path=b"d")) == "done"
        assert bench.say(put(b"d", folder_meta())) == "done"
        assert set(tree(tmp_path)) == {b"d"}
    with LocalArchive(tmp_path) as archive:
        assert [version.meta is None for version in archive.past(SOURCE, b"d/a")] == [True, False]
        assert [version.meta is None for version in archive.past(SOURCE, b"d/b")] == [True, False]
    assert faults(tmp_path) == []


def test_kinds_may_change(tmp_path: Path) -> None:
    """File, folder and link may follow one another under one name, parents may come late."""
    with opened(tmp_path) as bench:
        bench.file(b"x", b"1")
        bench.file(b"x/y", b"2")  # before anyone said that x is a folder now
        assert set(tree(tmp_path)) == {b"x/y"}
        bench.say(put(b"x", folder_meta()))
        assert set(tree(tmp_path)) == {b"x", b"x/y"}
        bench.say(put(b"x", link_meta(b"/etc")))
        found = tree(tmp_path)
        assert set(found) == {b"x"}
        assert found[b"x"].meta.kind is Kind.LINK
        bench.file(b"x", b"3")
        assert tree(tmp_path)[b"x"].hash == sha(b"3")


def test_a_failed_flush_ends_all_acknowledging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After EIO nothing is acknowledged any more, not even what would succeed; a restart has all that was."""
    with opened(tmp_path) as bench:
        assert bench.file(b"a", b"1") == "done"
        flush = os.fdatasync

        def broken(_: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "fdatasync", broken)
        assert bench.file(b"b", b"2") == "failed"
        monkeypatch.setattr(os, "fdatasync", flush)
        bench.store.submit(late := Item(message=put_file(b"c", b"3"), site="s", payload=b"3"))
        assert isinstance(bench.store.failure, BrokenError)
        assert bench.outcome(late) == "failed"
        assert len(bench.failures) == 1
    with opened(tmp_path) as bench:
        assert b"a" in tree(tmp_path)
        assert bench.file(b"b", b"2") == "done"
    assert faults(tmp_path) == []


def test_segments_follow_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full segment is closed for ever and linked to the next; all of it reads as one journal."""
    monkeypatch.setattr("replicator.appender.SEGMENT_BYTES", 10_000)
    with opened(tmp_path) as bench:
        for n in range(60):
            assert bench.file(b"f%d" % n, os.urandom(1000)) == "done"
    found = segments(tmp_path)
    assert len(found) > 4
    assert all(path.stat().st_mode & 0o222 == 0 for path in found[:-1])
    with opened(tmp_path) as bench:
        bench.file(b"last", b"x")
    assert len(tree(tmp_path)) == 61
    assert faults(tmp_path) == []
