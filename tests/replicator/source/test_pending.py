"""What is still to be sent: each path once, in order, and never forgotten."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.journal_rows import Waiting
from replicator.pending import FOLDER_AFTER, OPEN_AFTER, Pending
from replicator.turns import Item
from replicator.watcher import Grade


def _pending() -> tuple[Pending, dict[bytes, Waiting]]:
    kept: dict[bytes, Waiting] = {}

    def persist(path: bytes, waiting: Waiting | None) -> None:
        if waiting is None:
            kept.pop(path, None)
        else:
            kept[path] = waiting

    return Pending(persist), kept


def _take(pending: Pending, now: float) -> list[bytes]:
    return [item.path for item in pending.take(100, now)]


def test_a_path_is_there_once() -> None:
    """A path that changes often before it is sent is sent once, in the place of its first change."""
    pending, _ = _pending()
    for path in (b"a", b"b", b"a", b"c", b"a"):
        pending.add(path, 1, 0.0)
    assert _take(pending, 0.0) == [b"a", b"b", b"c"]


def test_a_change_under_way_is_sent_again() -> None:
    """A path that changes while it is being sent is ready again once that is done, with what was asked of it."""
    pending, kept = _pending()
    pending.add(b"a", 1, 0.0)
    (item,) = pending.take(1, 0.0)
    pending.add(b"a", 5, 0.0, force=True)
    assert not pending.take(1, 0.0)
    pending.finish(item, 0.0)
    assert kept[b"a"].seen_ns == 5
    (again,) = pending.take(1, 0.0)
    assert again.force
    pending.finish(again, 0.0)
    assert not kept
    assert not len(pending)


def test_what_changed_under_way_keeps_its_time() -> None:
    """A change seen while its path was being sent is older than what came after it, though it stands behind it.

    Else a stop would not wait for it, and an evacuation would call itself complete without it.
    """
    pending, _ = _pending()
    pending.add(b"a", 1, 0.0)
    (item,) = pending.take(1, 0.0)
    pending.add(b"a", 5, 0.0)
    pending.add(b"b", 9, 0.0)
    pending.finish(item, 0.0, sent=True)
    assert pending.oldest_ns == 5
    assert pending.waits(5)
    for each in pending.take(2, 0.0):
        pending.finish(each, 0.0, sent=True)
    assert not pending.oldest_ns
    assert not pending.waits(9)


def test_an_open_file_waits_and_a_closed_one_does_not() -> None:
    """A first write waits for its moment; the close that follows makes it due at once; a folder's times wait a bit."""
    pending, _ = _pending()
    pending.add(b"log", 1, 0.0, grade=Grade.OPEN)
    pending.add(b"folder", 1, 0.0, grade=Grade.FOLDER)
    assert _take(pending, 0.0) == []
    assert pending.next_due() == FOLDER_AFTER
    assert _take(pending, FOLDER_AFTER) == [b"folder"]
    pending.add(b"log", 2, FOLDER_AFTER)
    assert _take(pending, FOLDER_AFTER) == [b"log"]


def test_moments_of_an_open_file_are_seconds_apart() -> None:
    """A file that is written without end is sent as a moment at first after one second, then every three."""
    pending, _ = _pending()
    pending.add(b"log", 1, 0.0, grade=Grade.OPEN)
    (item,) = pending.take(1, OPEN_AFTER)
    pending.finish(item, OPEN_AFTER, sent=True)
    pending.add(b"log", 2, OPEN_AFTER, grade=Grade.OPEN)
    assert _take(pending, OPEN_AFTER + 2.9) == []
    assert _take(pending, OPEN_AFTER + 3.0) == [b"log"]


def test_a_file_closed_without_end_is_slowed_down() -> None:
    """After twenty sendings within five seconds the next waits; a quiet file goes at once."""
    pending, _ = _pending()
    for _ in range(20):
        pending.add(b"a", 1, 1.0)
        (item,) = pending.take(1, 1.0)
        pending.finish(item, 1.0, sent=True)
    pending.add(b"a", 1, 1.0)
    pending.add(b"b", 1, 1.0)
    assert _take(pending, 1.0) == [b"b"]
    assert _take(pending, 1.25) == [b"a"]


def test_what_is_set_aside_comes_back_by_time_and_by_change() -> None:
    """An unreadable path returns when its time has come, or at once when it changes."""
    pending, _ = _pending()
    for path in (b"a", b"b"):
        pending.add(path, 1, 0.0)
    for item in pending.take(2, 0.0):
        pending.retry(item, 0.0, 60.0, reason="no right")
    assert pending.moving == 0
    assert pending.oldest_ns == 0
    pending.add(b"b", 2, 1.0)
    assert _take(pending, 1.0) == [b"b"]
    assert _take(pending, 60.0) == [b"a"]


def test_after_a_cut_what_was_under_way_is_uncertain() -> None:
    """What was under way when the line broke is ready again, and sent whatever the journal holds."""
    pending, _ = _pending()
    pending.add(b"a", 1, 0.0)
    pending.take(1, 0.0)
    pending.recall()
    (item,) = pending.take(1, 0.0)
    assert item.force


def test_in_an_evacuation_the_smallest_and_newest_leave_first() -> None:
    """Urgent: by size, then the newest; afterwards in the order seen again."""
    pending, _ = _pending()
    for path, size, seen in ((b"big", 10**9, 9), (b"old", 100, 1), (b"new", 100, 8), (b"tiny", 1, 2)):
        pending.add(path, seen, 0.0, size=size)
    pending.set_urgent(urgent=True)
    pending.add(b"late", 10, 0.0, size=0)
    assert _take(pending, 0.0) == [b"late", b"tiny", b"new", b"old", b"big"]


def test_a_hurry_leaves_nothing_waiting_but_what_is_set_aside() -> None:
    """Before a stop everything is due at once, except what cannot be sent anyway."""
    pending, _ = _pending()
    pending.add(b"bad", 1, 0.0)
    (bad,) = pending.take(1, 0.0)
    pending.retry(bad, 0.0, 60.0, reason="no right")
    pending.add(b"log", 1, 0.0, grade=Grade.OPEN)
    pending.add(b"folder", 1, 0.0, grade=Grade.FOLDER)
    pending.hurry()
    assert set(_take(pending, 0.0)) == {b"log", b"folder"}


@settings(max_examples=200, deadline=None)
@given(st.integers(min_value=0, max_value=2**32), st.integers(min_value=1, max_value=200))
def test_nothing_is_ever_forgotten(seed: int, steps: int) -> None:
    """In whatever order things happen, a path is pending and persisted until it is finished after its last change."""
    chance = random.Random(seed)
    pending, kept = _pending()
    wanted: set[bytes] = set()
    busy: dict[bytes, Item] = {}
    for now in range(steps):
        act = chance.randrange(7)
        path = bytes([97 + chance.randrange(5)])
        if act <= 1:
            pending.add(path, now + 1, now, grade=chance.choice(list(Grade)), size=chance.randrange(9))
            wanted.add(path)
        elif act == 2:
            busy |= {item.path: item for item in pending.take(chance.randrange(1, 4), now)}
            for each in busy:
                wanted.discard(each) if busy[each].again is None else None
        elif act == 3 and busy:
            _, item = busy.popitem()
            pending.finish(item, now, sent=True)
        elif act == 4 and busy:
            _, item = busy.popitem()
            pending.retry(item, now, chance.randrange(3), reason=chance.choice(["", "bad"]))
            wanted.add(item.path)
        elif act == 5:
            pending.recall()
            wanted |= set(busy)
            busy.clear()
        else:
            pending.set_urgent(urgent=chance.random() < 0.5)
        assert {item.path for item in pending} == set(kept)
        assert wanted <= set(kept)
        assert pending.bytes == sum(item.size for item in pending)
    pending.recall()
    for now in range(steps, steps + 100):
        for item in pending.take(10, now):
            pending.finish(item, now)
    assert not len(pending)
    assert not kept
    assert pending.bytes == 0


def test_what_was_seen_before_is_waited_for_before_what_stands_here() -> None:
    """A path that another's change brings late counts from that change, also one that is under way; then no more."""
    pending = Pending(lambda *_: None)
    for path in (b"young", b"busy"):
        pending.add(path, 9, 0.0)
    pending.take(2, 0.0)
    pending.add_late(b"named", 5, 0.0)
    pending.add_late(b"busy", 7, 0.0)
    assert pending.oldest_ns == 5
    (named,) = pending.take(9, 0.0)
    pending.finish(named, 0.0, sent=True)
    assert pending.waits(7)
    assert not pending.waits(6)
    busy = next(item for item in pending if item.path == b"busy")
    pending.finish(busy, 0.0, sent=True)
    (again,) = pending.take(9, 60.0)
    assert (again.path, again.seen_ns, again.late) == (b"busy", 7, True)
    pending.finish(again, 60.0, sent=True)
    assert not pending.waits(8)
