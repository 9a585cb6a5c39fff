"""Finding what is wrong with a vault, and healing what can be healed."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from replicator.errors import LockedError
from replicator.item import Item
from replicator.local import LocalArchive
from tests.replicator.vault.support import (
    SITE,
    SOURCE,
    content,
    expected,
    faults,
    folder_meta,
    link_meta,
    look,
    opened,
    put,
    put_file,
    segments,
    sha,
)

BIG = os.urandom(300_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A vault with small and large contents, all in `current/`."""
    root = tmp_path / "vault"
    with opened(root) as bench:
        bench.say(put(b"d", folder_meta()))
        bench.file(b"d/small", b"needle in a haystack")
        bench.say(put(b"d/link", link_meta(b"small")))
        upload = bench.store.objects.begin("t", len(BIG))
        upload.write(BIG)
        upload.finish(sha(BIG))
        upload.drop()
        item = Item(message=put_file(b"d/big", BIG), site=SITE, stored=True)
        bench.store.submit(item)
        assert bench.outcome(item) == "done"
        bench.settle()
    assert faults(root) == []
    return root


def _object(root: Path) -> Path:
    return root / "objects" / sha(BIG).hex()[:2] / sha(BIG).hex()


@pytest.mark.parametrize("how", ["changed", "short", "gone"])
def test_a_bad_object_is_found_and_healed_from_current(root: Path, how: str) -> None:
    """An object that is wrong or gone is named; repair stores the same bytes anew from the plain file."""
    path = _object(root)
    path.chmod(0o600)
    if how == "gone":
        path.unlink()
    elif how == "short":
        os.truncate(path, 100)
    else:
        path.write_bytes(BIG[::-1])
    assert [(fault.what, fault.name) for fault in faults(root)] == [("object", sha(BIG).hex())]
    assert [fault.repaired for fault in faults(root, repair=True)] == [True]
    assert faults(root) == []
    with LocalArchive(root) as archive:
        assert content(archive, sha(BIG)) == BIG


def test_a_bad_object_that_nobody_else_has_stays_bad(root: Path) -> None:
    """What cannot be healed is told again and again, and never covered up."""
    _object(root).unlink()
    (root / "current" / SOURCE / "d" / "big").unlink()
    assert [fault.repaired for fault in faults(root, repair=True)] == [False]
    assert [fault.reason for fault in faults(root)] == ["is missing"]


def test_a_bad_content_in_a_record_is_healed_beside_it(root: Path) -> None:
    """The journal is not changed: the same bytes become an object, which wins over the record's."""
    path = segments(root)[0]
    path.write_bytes(path.read_bytes().replace(b"needle", b"noodle"))
    assert [fault.what for fault in faults(root)] == ["record"]
    before = path.read_bytes()
    assert [fault.repaired for fault in faults(root, repair=True)] == [True]
    assert path.read_bytes() == before
    assert faults(root) == []
    with LocalArchive(root) as archive:
        assert content(archive, sha(b"needle in a haystack"))


@pytest.mark.parametrize("how", ["gone", "junk", "row-lost", "row-changed", "row-added"])
def test_a_wrong_catalog_is_found_and_built_again(root: Path, how: str) -> None:
    """Whatever the catalog says otherwise than the journal is a fault, and repair makes it new."""
    path = root / "catalog.sqlite"
    if how == "gone":
        path.unlink()
    elif how == "junk":
        path.write_bytes(b"junk" * 4096)
    else:
        statement = {
            "row-lost": "DELETE FROM versions WHERE position = 3",
            "row-changed": "UPDATE versions SET at_ns = at_ns + 1 WHERE position = 3",
            "row-added": "INSERT INTO versions VALUES (1, x'61', 99, 1, NULL, x'')",
        }[how]
        with sqlite3.connect(path) as db:
            db.execute(statement)
        db.close()
    assert [fault.what for fault in faults(root)] == ["catalog"]
    assert [fault.repaired for fault in faults(root, repair=True)] == [True]
    assert faults(root) == []


def test_current_is_made_anew(root: Path) -> None:
    """Repair brings `current/` back to the newest state, whatever was done to it, and removes what is not its own."""
    folder = root / "current" / SOURCE
    (folder / "d" / "small").write_text("changed by hand")
    (folder / "d" / "big").unlink()
    (folder / "mine").mkdir()
    (folder / "mine" / "file").write_text("x")
    assert faults(root, repair=True) == []
    with LocalArchive(root) as archive:
        assert look(folder) == expected(archive)
    shutil.rmtree(root / "current")
    assert faults(root, repair=True) == []
    with LocalArchive(root) as archive:
        assert look(folder) == expected(archive)


def test_repair_needs_the_vault_for_itself(root: Path) -> None:
    """Beside a running vault everything is examined and nothing repaired."""
    with opened(root) as bench:
        bench.file(b"more", b"x")
        assert faults(root) == []
        with pytest.raises(LockedError):
            faults(root, repair=True)


def test_an_examination_beside_a_busy_vault_finds_nothing(root: Path) -> None:
    """What is just being written is no damage."""
    with opened(root) as bench:
        items = [
            Item(message=put_file(b"f%d" % n, data), site=SITE, payload=data)
            for n, data in enumerate(os.urandom(2000) for _ in range(1500))
        ]
        for item in items:
            bench.store.submit(item)
        for _ in range(3):
            assert faults(root) == []
        assert bench.outcome(items[-1]) == "done"
    assert faults(root) == []
