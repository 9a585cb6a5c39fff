"""The journal: what it is told it gives back, at once and after any end."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from replicator.change import Kind, Meta
from replicator.errors import JournalError
from replicator.journal import Journal
from replicator.journal_rows import Known, SourceRow, Waiting, signed
from replicator.names import Names
from tests.replicator.source.support import NAMES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal stands."""
    return tmp_path / "replicator.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    """An empty journal."""
    journal = Journal(path)
    yield journal
    journal.close()


def _known(ino: int = 1, mark: bytes = b"x") -> Known:
    meta = Meta(kind=Kind.FILE, mode=0o644, mtime_ns=5, uid=1, gid=2, size=3)
    return Known(meta=meta, hash=mark * 32, ino=ino, ctime_ns=7, racy=False)


@pytest.mark.parametrize("ino", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("flush", [True, False])
def test_what_is_put_is_there_at_once_and_after_a_commit(journal: Journal, ino: int, *, flush: bool) -> None:
    """Any inode and any name come back as they were, committed or not."""
    number, _ = journal.source("docs")
    for name in NAMES:
        journal.put(number, b"a/" + name, _known(ino))
    if flush:
        journal.flush()
    for name in NAMES:
        assert journal.get(number, b"a/" + name) == _known(ino)
    assert set(journal.children(number, b"a")) == set(NAMES)
    assert journal.marks(number, b"a") == {name: (name, signed(ino), 7) for name in NAMES}
    if ino:
        assert set(journal.by_inode(number, ino)) == {b"a/" + name for name in NAMES}


def test_paths_are_counted_as_far_as_asked(journal: Journal) -> None:
    """A whole count is of one source; whether there is any is known without counting all."""
    number, _ = journal.source("docs")
    other, _ = journal.source("other")
    for each in range(5):
        journal.put(number, b"%d" % each, _known())
    journal.flush()
    assert [journal.count(number), journal.count(number, 1), journal.count(number, 9)] == [5, 1, 5]
    assert [journal.count(other), journal.count(other, 1)] == [0, 0]


def test_random_words_agree_with_a_dict(journal: Journal) -> None:
    """Thousands of puts, removals and commits: every question has the answer that a plain dict gives."""
    chance = random.Random(4)
    number, _ = journal.source("docs")
    other, _ = journal.source("other")
    model: dict[bytes, Known] = {}
    for _ in range(3000):
        path = b"/".join(chance.choice([b"a", b"b", b"a-", b"a0"]) for _ in range(chance.randrange(1, 4)))
        act = chance.randrange(10)
        if act < 5:
            model[path] = _known(chance.randrange(1, 5), bytes([chance.randrange(256)]))
            journal.put(number, path, model[path])
            journal.put(other, path, _known(99))
        elif act < 8:
            model.pop(path, None)
            journal.put(number, path, None)
        elif act == 8:
            journal.flush()
        assert journal.get(number, path) == model.get(path)
        assert set(journal.under(number, path)) == {each for each in model if each.startswith(path + b"/")}
        assert journal.children(number, path) == {
            each.rpartition(b"/")[2]: known for each, known in model.items() if each.rpartition(b"/")[0] == path
        }
        ino = chance.randrange(1, 5)
        assert journal.by_inode(number, ino) == {each: known for each, known in model.items() if known.ino == ino}
    depths = [each.count(b"/") for each in journal.under(number, b"")]
    assert depths == sorted(depths, reverse=True)


def test_it_survives_a_kill(path: Path) -> None:
    """What was committed is there after the process was killed without any farewell."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from replicator.journal import Journal; from replicator.journal_rows import Waiting\n"
        "journal = Journal(Path(sys.argv[1])); number, _ = journal.source('docs')\n"
        "for count in range(1000): journal.wait(number, b'p%d' % count, Waiting(count, 1))\n"
        "journal.flush(); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert done.returncode == -9
    journal = Journal(path)
    number, _ = journal.source("docs")
    assert [waiting.seen_ns for _, waiting in journal.waiting(number)] == list(range(1000))
    journal.close()


def test_a_source_is_remembered(path: Path) -> None:
    """Vault, position and root of a source are there in the next process, a scan once all that it found was copied."""
    journal = Journal(path)
    number, row = journal.source("docs")
    assert row == SourceRow()
    told = SourceRow(vault="v", position=9, root=(2**62, 3), scanned_ns=4, copied=True)
    journal.remember(number, told)
    journal.close()
    journal = Journal(path)
    assert journal.source("docs") == (number, told)
    assert journal.source("other")[1] == SourceRow()
    told.copied = False
    journal.remember(number, told)
    journal.close()
    journal = Journal(path)
    assert journal.source("docs") == (number, SourceRow(vault="v", position=9, root=(2**62, 3)))
    journal.close()


def test_waiting_paths_go_when_they_are_sent(journal: Journal) -> None:
    """What is sent is not waiting at the next start, the oldest comes first."""
    number, _ = journal.source("docs")
    for name, seen in ((b"b", 2), (b"a", 1), (b"c", 3)):
        journal.wait(number, name, Waiting(seen, 0))
    journal.wait(number, b"b", None)
    journal.flush()
    assert [name for name, _ in journal.waiting(number)] == [b"a", b"c"]


def test_a_damaged_file_is_put_aside(path: Path) -> None:
    """What is no database is kept under another name, and a new journal begun."""
    path.write_bytes(b"not a database, by no means" * 400)
    journal = Journal(path)
    assert journal.source("docs")[1] == SourceRow()
    journal.close()
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def test_a_folder_that_is_not_there_is_an_error_with_a_hint(tmp_path: Path) -> None:
    """Without its state folder the replicator says what is missing."""
    with pytest.raises(JournalError) as caught:
        Journal(tmp_path / "none" / "replicator.sqlite")
    assert caught.value.hint
    assert os.fspath(tmp_path) in str(caught.value)


def test_the_first_name_of_a_file_is_told_when_another_one_changes(journal: Journal, tmp_path: Path) -> None:
    """A file under way by its only name, not in the journal yet: changed by a second name, the first one is told."""
    number, _ = journal.source("docs")
    names = Names(number, journal)
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("one")
    assert names.others(os.fsencode(tmp_path), b"first", first.lstat(), b"1") == []
    second.hardlink_to(first)
    second.write_text("two")
    assert names.others(os.fsencode(tmp_path), b"second", second.lstat(), b"2") == [b"first"]
    assert names.others(os.fsencode(tmp_path), b"first", first.lstat(), b"2") == []
