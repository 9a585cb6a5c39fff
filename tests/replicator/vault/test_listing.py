"""What a tree was at a time, against a plain model of a file system."""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.change import Kind, Meta
from replicator.local import LocalArchive
from replicator.messages import Delete
from tests.replicator.vault.support import SOURCE, Bench, folder_meta, link_meta, opened, put, put_file

_NAMES = [b"a", b"a-b", b"a/b", b"a/b/c", b"a/c", b"a.b", b"b", b"b/a"]
_steps = st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(["file", "folder", "link", "gone"])), max_size=25)


def _do(bench: Bench, path: bytes, kind: str, number: int) -> None:
    if kind == "file":
        assert bench.file(path, b"%d" % number) == "done"
    elif kind == "gone":
        assert bench.say(Delete(id=0, source=SOURCE, path=path)) == "done"
    else:
        meta = folder_meta(mtime_ns=number) if kind == "folder" else link_meta(b"t", mtime_ns=number)
        assert bench.say(put(path, meta)) == "done"


def _model(model: dict[bytes, str], path: bytes, kind: str) -> dict[bytes, str]:
    """The same step by an honest file system: what is above is a folder, what is below a non-folder goes."""
    kept = {p: k for p, k in model.items() if kind == "folder" or not p.startswith(path + b"/")}
    kept.pop(path, None)
    if kind != "gone":
        kept[path] = kind
    return kept


@given(_steps)
@settings(max_examples=25, deadline=None)
def test_a_listing_is_what_the_last_words_say(steps: list[tuple[bytes, str]]) -> None:
    """After honest steps in any order, a path is listed if and only if it is there; folders come first."""
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as bench:
        model: dict[bytes, str] = {}
        for number, (path, kind) in enumerate(steps):
            above = [path[:at] for at in range(len(path)) if path[at : at + 1] == b"/"]
            if kind != "gone" and any(model.get(each, "folder") != "folder" for each in above):
                continue
            _do(bench, path, kind, number)
            model = _model(model, path, kind)
        if not bench.store.positions():
            return
        with LocalArchive(Path(folder)) as archive:
            listed = [(entry.path, entry.meta.kind.value) for entry in archive.tree(SOURCE)]
            assert dict(listed) == model
            assert len(listed) == len(model)
            paths = [path for path, _ in listed]
            for path in paths:
                folder_of = path.rpartition(b"/")[0]
                assert folder_of not in paths[paths.index(path) :]
            for path in _NAMES:
                inside = [p for p, _ in listed if p == path or p.startswith(path + b"/")]
                assert [entry.path for entry in archive.tree(SOURCE, 0, [path])] == inside


def _versions(root: Path) -> Iterator[tuple[int, dict[bytes, Meta]]]:
    """Write a little history; the tree after each step, with its time."""
    model: dict[bytes, Meta] = {}
    with opened(root) as bench:
        for number in range(40):
            path = b"d/f%d" % (number % 7)
            message = put_file(path, b"%d" % number)
            if number % 5 == 4 and path in model:
                assert bench.say(Delete(id=0, source=SOURCE, path=path)) == "done"
                model.pop(path, None)
            else:
                assert bench.say(message, b"%d" % number) == "done"
                model[path] = message.meta
            with LocalArchive(root) as archive:
                at_ns = max(version.at_ns for p in {*model, path} for version in archive.past(SOURCE, p))
            yield at_ns, dict(model)


def test_every_moment_can_be_had_again(tmp_path: Path) -> None:
    """The tree at the time of any record is the tree as it was then, not a nanosecond earlier or later."""
    history = list(_versions(tmp_path))
    with LocalArchive(tmp_path) as archive:
        for (at_ns, model), (_, before) in zip(history[1:], history, strict=False):
            now = {entry.path: entry.meta for entry in archive.tree(SOURCE, at_ns)}
            assert now == model
            assert {entry.path for entry in archive.tree(SOURCE, at_ns - 1)} == set(before)


def test_a_link_is_no_way_out_of_the_listing(tmp_path: Path) -> None:
    """Something put below a link makes it a folder; never is there both a link and something below it."""
    with opened(tmp_path) as bench:
        bench.say(put(b"out", link_meta(b"/etc")))
        bench.file(b"out/passwd", b"x")
        with LocalArchive(tmp_path) as archive:
            listed = {entry.path: entry.meta.kind for entry in archive.tree(SOURCE)}
    assert listed == {b"out/passwd": Kind.FILE}


@pytest.mark.parametrize("lost", ["catalog.sqlite", None])
def test_a_reader_sees_what_the_catalog_has_not_yet(
    tmp_path: Path, lost: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is durable is shown at once, beside a running vault, with the catalog behind or missing."""
    with opened(tmp_path) as bench:
        bench.file(b"a", b"1")
        bench.settle()

        def full(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(bench.store._committer._catalog, "_take", full)
        bench.file(b"b", b"2")
        bench.file(b"a", b"3")
        if lost:
            (tmp_path / lost).rename(tmp_path / "away")
        with LocalArchive(tmp_path) as archive:
            assert {e.path: b"".join(archive.fetch(e.hash)) for e in archive.tree(SOURCE)} == {b"a": b"3", b"b": b"2"}
            assert len(list(archive.past(SOURCE, b"a"))) == 2
            assert archive.sources() == bench.store.positions()
        if lost:
            (tmp_path / "away").rename(tmp_path / lost)
        monkeypatch.undo()
