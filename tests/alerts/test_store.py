"""The state file: what is wrong with it is told clearly, at the start and later."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from alerts.desk import Desk
from alerts.errors import StoreError
from alerts.store import RESERVE, SCHEMA, reserve_of
from tests.alerts.support import hot, site
from tests.support.disks import own_disk


def _error(path: Path) -> StoreError:
    with pytest.raises(StoreError) as found:
        Desk.open(path, site(path.parent)).close()
    assert str(path) in str(found.value)
    assert found.value.hint
    return found.value


def test_a_new_file_is_made_with_its_folder(tmp_path: Path) -> None:
    """The first start makes the folder and the file."""
    Desk.open(tmp_path / "state" / "monitor.sqlite", site(tmp_path)).close()
    assert (tmp_path / "state" / "monitor.sqlite").stat().st_size > 0


def test_it_is_durable_and_keeps_what_it_had(tmp_path: Path) -> None:
    """WAL with full synchronisation; what was committed is there after the next open."""
    path = tmp_path / "monitor.sqlite"
    desk = Desk.open(path, site(tmp_path))
    with desk._store.reading("ask") as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
    event = desk.apply(hot())
    desk.close()
    desk.close()
    again = Desk.open(path, site(tmp_path))
    assert again.events() == [event]
    again.close()


def test_text_instead_of_a_database(tmp_path: Path) -> None:
    """A file that is no database is kept under another name, as it is, and the room is watched with a new one."""
    path = tmp_path / "monitor.sqlite"
    letter = "this is a letter to the county office\n" * 100
    path.write_text(letter)
    desk = Desk.open(path, site(tmp_path))
    assert desk.apply(hot()) is not None
    desk.close()
    assert [aside.read_text() for aside in _aside(tmp_path)] == [letter]


def test_another_programs_database(tmp_path: Path) -> None:
    """A database that bongsu did not make is told, and left as it is."""
    path = tmp_path / "monitor.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    assert "another program's" in str(_error(path))
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


def test_a_newer_version(tmp_path: Path) -> None:
    """A file of a newer bongsu is not touched."""
    path = tmp_path / "monitor.sqlite"
    Desk.open(path, site(tmp_path)).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    assert f"version {SCHEMA + 1}" in str(_error(path))


def test_a_damaged_file(tmp_path: Path) -> None:
    """Pages full of noise are found at the start; the file is put aside, which is told until the next start."""
    path = tmp_path / "monitor.sqlite"
    desk = Desk.open(path, site(tmp_path))
    for number in range(50):
        desk.apply(hot(alarm=f"hot:{number}"))
    desk.close()
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content) - 4096, 4096):
        content[start : start + 512] = os.urandom(512)
    path.write_bytes(content)
    desk = Desk.open(path, site(tmp_path))
    (aside,) = _aside(tmp_path)
    assert aside.read_bytes() == content
    (view,) = desk.alarms()
    assert (view.id, view.active, view.value) == ("store", True, aside.name)
    assert [each.contact for each in desk.notifications()] == ["kim"]
    assert desk.apply(hot(alarm="hot:1")) is not None, "what holds is raised anew"
    desk.close()
    desk = Desk.open(path, site(tmp_path))
    assert not desk.alarm("store").active
    assert _aside(tmp_path) == [aside]
    desk.close()


def _aside(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if ".damaged-" in path.name and not path.name.endswith(("-wal", "-shm"))]


@pytest.mark.parametrize("place", ["file/monitor.sqlite", "folder"])
def test_no_place_for_a_file(tmp_path: Path, place: str) -> None:
    """A file where the folder should be, and a folder where the file should be."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    _error(tmp_path / place)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_file_that_may_not_be_written(open_folder: Path) -> None:
    """A state file of another user is told at the start."""
    path = open_folder / "monitor.sqlite"
    config = site(open_folder)
    Desk.open(path, config).close()
    path.chmod(0o444)
    open_folder.chmod(0o555)
    nobody = os.geteuid() == 0
    if nobody:
        os.seteuid(65534)
    try:
        with pytest.raises(StoreError) as found:
            Desk.open(path, config).close()
    finally:
        if nobody:
            os.seteuid(0)
    assert "readonly" in str(found.value) or "read-only" in str(found.value) or "unable to open" in str(found.value)
    assert found.value.hint


def test_a_full_disk_is_told_and_nothing_half_done_is_kept(tmp_path: Path) -> None:
    """SQLite's own limit of pages: the step fails with a hint, and works when it is told again with room."""
    desk = Desk.open(tmp_path / "monitor.sqlite", site(tmp_path))
    with desk._store.reading("break") as db:
        db.execute("PRAGMA max_page_count = 1")
    failed = None
    for number in range(500):
        try:
            desk.apply(hot(alarm=f"hot:{number}", text="긴 글 " * 12))
        except StoreError as error:
            failed = (number, error)
            break
    assert failed is not None
    assert "full" in str(failed[1])
    assert "make room" in failed[1].hint
    name = f"hot:{failed[0]}"
    assert name not in [view.id for view in desk.alarms()]
    assert name not in [event.alarm for event in desk.events(limit=1000)]
    with desk._store.reading("mend") as db:
        db.execute("PRAGMA max_page_count = 1000000")
    assert desk.apply(hot(alarm=name)) is not None
    desk.close()


def test_room_is_held_back_and_given_up_when_the_disk_is_full(tmp_path: Path) -> None:
    """Real blocks are taken at the start, freed by the first "full", and taken again at the next start."""
    path = tmp_path / "monitor.sqlite"
    reserve = reserve_of(path)
    desk = Desk.open(path, site(tmp_path))
    assert reserve.stat().st_blocks * 512 >= RESERVE
    with desk._store.reading("break") as db:
        db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError):
        _fill(desk)
    assert not reserve.exists()
    desk.close()
    Desk.open(path, site(tmp_path)).close()
    assert reserve.stat().st_size == RESERVE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    with own_disk(tmp_path / "small", "8m") as folder:
        yield folder


@pytest.mark.parametrize("killed", [False, True])
def test_a_start_on_a_full_disk(small_disk: Path, killed: bool) -> None:
    """A monitor that starts when the disk is full does so in the room that was held back."""
    path = small_disk / "monitor.sqlite"
    config = site(small_disk)
    first = Desk.open(path, config)
    first.apply(hot())
    if not killed:
        first.close()
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(b"x" * 4096)
    desk = Desk.open(path, config)
    assert desk.alarm("rack1-hot").active
    assert desk.apply(hot(alarm="flood")) is not None
    assert not reserve_of(path).exists()
    desk.close()
    first.close()


def _fill(desk: Desk) -> None:
    for number in range(500):
        desk.apply(hot(alarm=f"fill:{number}", text="긴 글 " * 12))


def test_a_second_process_that_holds_the_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is not given back is an error with a hint, and passes when it is."""
    path = tmp_path / "monitor.sqlite"
    desk = Desk.open(path, site(tmp_path))
    with desk._store.reading("hurry") as db:
        db.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as found:
            desk.apply(hot())
        other.execute("ROLLBACK")
    assert "second daemon" in found.value.hint
    assert desk.apply(hot()) is not None
    desk.close()
