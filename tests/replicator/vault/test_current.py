"""`current/` follows what is kept."""

import contextlib
import errno
import itertools
import os
import random
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from replicator.change import Kind, Meta
from replicator.local import LocalArchive
from replicator.messages import Delete
from replicator.mirror import Mirror
from tests.replicator.vault.support import (
    SOURCE,
    Bench,
    expected,
    faults,
    file_meta,
    folder_meta,
    link_meta,
    look,
    opened,
    put,
    put_file,
    wait_for,
)


def _current(root: Path) -> dict[bytes, tuple[str, int, int, bytes]]:
    return look(root / "current" / SOURCE)


def _same(root: Path) -> None:
    with LocalArchive(root) as archive:
        want = expected(archive)
    found = {path: what for path, what in _current(root).items() if path in want}
    assert found == want
    # A parent that nobody named is there all the same; nothing else is.
    extra = set(_current(root)) - set(want)
    assert all(any(path.startswith(each + b"/") for path in want) for each in extra)


def _random_step(bench: Bench, chance: random.Random, model: dict[bytes, Meta]) -> None:
    """One step of an honest sender: what it says is what a file system could show."""
    parents = [b"", *(path + b"/" for path, meta in model.items() if meta.kind is Kind.FOLDER)]
    path = chance.choice(parents) + chance.choice([b"a", b"b", "ㄱ".encode("cp949"), b"n\n"])
    kind = chance.choice(["file", "file", "folder", "link", "gone", "mode"])
    if path.count(b"/") > 4 or (kind == "mode" and path not in model):
        return
    if kind in {"file", "link", "gone"}:
        for each in sorted((p for p in model if p.startswith(path + b"/")), reverse=True):
            assert bench.say(Delete(id=0, source=SOURCE, path=each)) == "done"
            del model[each]
    if kind == "gone":
        model.pop(path, None)
        assert bench.say(Delete(id=0, source=SOURCE, path=path)) == "done"
        return
    number = chance.randrange(10**12)
    if kind == "file" or (kind == "mode" and model[path].kind is Kind.FILE):
        data = b"%d" % number
        model[path] = file_meta(data, mode=chance.choice([0o600, 0o444, 0o777]), mtime_ns=number)
        assert bench.say(put_file(path, data, mode=model[path].mode, mtime_ns=number), data) == "done"
        return
    if kind == "link":
        model[path] = link_meta(b"%d" % number, mtime_ns=number)
    else:
        model[path] = folder_meta(mode=chance.choice([0o700, 0o755, 0o000]), mtime_ns=number)
        if chance.random() < 0.5:  # an honest sender may also have seen only what is there now
            for each in [p for p in model if p.startswith(path + b"/")]:
                del model[each]
                assert bench.say(Delete(id=0, source=SOURCE, path=each)) == "done"
    assert bench.say(put(path, model[path])) == "done"


@pytest.mark.parametrize("seed", range(3))
def test_random_changes_are_followed(tmp_path: Path, seed: int) -> None:
    """After hundreds of random changes and some restarts, `current/` is the tree, mode by mode and time by time."""
    chance = random.Random(seed)
    model: dict[bytes, Meta] = {}
    for _ in range(3):
        with opened(tmp_path) as bench:
            for _ in range(120):
                _random_step(bench, chance, model)
            bench.settle()
        _same(tmp_path)
    with LocalArchive(tmp_path) as archive:
        assert {entry.path: entry.meta for entry in archive.tree(SOURCE)} == model
    assert faults(tmp_path) == []


def test_two_paths_with_the_same_bytes_differ_in_all_else(tmp_path: Path) -> None:
    """The same content under two names has two modes and times, and a change of one is none of the other."""
    with opened(tmp_path) as bench:
        bench.file(b"a", b"same", mode=0o600, mtime_ns=1)
        bench.file(b"b", b"same", mode=0o644, mtime_ns=2)
        bench.settle()
        found = _current(tmp_path)
        assert found == {b"a": ("file", 0o600, 1, b"same"), b"b": ("file", 0o644, 2, b"same")}
        bench.file(b"a", b"other", mode=0o600, mtime_ns=3)
        bench.settle()
        assert _current(tmp_path)[b"b"] == ("file", 0o644, 2, b"same")


@pytest.mark.parametrize("before", ["file", "link", "gone"])
@pytest.mark.parametrize("late", [b"p/late", b"p/q/late"])
def test_a_folder_that_only_a_late_file_made_is_what_it_was(tmp_path: Path, before: str, late: bytes) -> None:
    """A file into a folder that is something else by then makes it a folder; when that file goes, it is none again."""
    with opened(tmp_path) as bench:
        bench.say(put(b"p", folder_meta()))
        match before:
            case "file":
                bench.file(b"p", b"a document")
            case "link":
                bench.say(put(b"p", link_meta(b"nowhere")))
            case _:
                bench.say(Delete(id=0, source=SOURCE, path=b"p"))
        bench.file(late, b"on its way for long")
        bench.settle()
        _same(tmp_path)
        bench.say(Delete(id=0, source=SOURCE, path=late))
        bench.settle()
        _same(tmp_path)
        assert _current(tmp_path).keys() == ({b"p"} if before != "gone" else set())


@pytest.mark.parametrize("times", [1, 1_000_000])
def test_what_a_late_file_hid_is_shown_again_though_it_failed_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """The folder is gone, and what it hid finds no room: that is waited for, and the next start goes on with it."""
    monkeypatch.setattr("replicator.current._MARK_EVERY", 0)
    kept, failed = Mirror.set, itertools.count(1)
    began = threading.Event()

    def failing(mirror: Mirror, source: str, path: bytes, *state: Any) -> None:
        if path == b"p" and next(failed) <= times:
            began.set()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        kept(mirror, source, path, *state)

    with opened(tmp_path) as bench:
        bench.file(b"p", b"a document")
        bench.file(b"p/late", b"on its way for long")
        bench.settle()
        wait_for((tmp_path / "current.json").exists)
        monkeypatch.setattr(Mirror, "set", failing)
        bench.say(Delete(id=0, source=SOURCE, path=b"p/late"))
        wait_for(began.is_set)
        if times == 1:
            bench.settle()
            _same(tmp_path)
    monkeypatch.setattr(Mirror, "set", kept)
    with opened(tmp_path) as bench:
        bench.settle()
        _same(tmp_path)
    assert _current(tmp_path).keys() == {b"p"}


def test_no_program_of_roots_comes_in(tmp_path: Path) -> None:
    """Set-uid and set-gid bits are kept in the record and not set in `current/`."""
    with opened(tmp_path) as bench:
        bench.file(b"su", b"x", mode=0o6755)
        bench.settle()
        assert _current(tmp_path)[b"su"][1] == 0o755
    with LocalArchive(tmp_path) as archive:
        assert next(archive.tree(SOURCE)).meta.mode == 0o6755


def test_what_was_lost_of_current_is_written_again(tmp_path: Path) -> None:
    """A power cut may take files of `current/`; whatever came after the last mark is written at the next start."""
    with opened(tmp_path) as bench:
        for number in range(20):
            bench.file(b"d/f%d" % number, b"%d" % number)
        bench.settle()
    shutil.rmtree(tmp_path / "current" / SOURCE)
    with opened(tmp_path) as bench:
        bench.settle()
    _same(tmp_path)


def test_a_restart_does_not_write_all_again(tmp_path: Path) -> None:
    """What lies before the mark is left alone."""
    with opened(tmp_path) as bench:
        bench.file(b"before", b"1")
        bench.settle()
        bench.store.current._save()
        bench.file(b"after", b"2")
        bench.settle()
    number = (tmp_path / "current" / SOURCE / "before").stat().st_ino
    with opened(tmp_path) as bench:
        bench.settle()
    assert (tmp_path / "current" / SOURCE / "before").stat().st_ino == number
    _same(tmp_path)


def test_one_file_that_cannot_be_written_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the disk does not take is left out of `current/`, counted, and kept all the same."""
    link = os.symlink

    def refuse(source: bytes, *args: object, **options: object) -> None:
        if source == b"refused":
            raise OSError(errno.EINVAL, "Invalid argument")
        link(source, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "symlink", refuse)
    with opened(tmp_path) as bench:
        bench.say(put(b"l", link_meta(b"refused")))
        bench.file(b"f", b"x")
        bench.settle()
        assert bench.store.current.failed == 1
    assert set(_current(tmp_path)) == {b"f"}


def test_a_full_disk_makes_current_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room `current/` stays behind and says why; with room it goes on where it was."""
    whole = os.rename

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(tmp_path) as bench:
        monkeypatch.setattr(os, "rename", full)
        bench.file(b"a", b"x")
        wait_for(lambda: "no space" in bench.store.current.waits.lower())
        monkeypatch.setattr(os, "rename", whole)
        bench.settle()
        wait_for(lambda: not bench.store.current.waits)
    _same(tmp_path)


def test_a_segment_that_cannot_be_opened_costs_nobody_a_file(tmp_path: Path) -> None:
    """The one before it is closed once: its number may be another file's by then."""
    with opened(tmp_path) as bench:
        bench.file(b"a", b"x")
    with contextlib.ExitStack() as stack:
        with Mirror(tmp_path) as mirror:
            mirror._of(1)
            with pytest.raises(FileNotFoundError):
                mirror._of(2)
            another = stack.enter_context((tmp_path / "another").open("wb", buffering=0))
        another.write(b"x")
