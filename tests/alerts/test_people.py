"""What people do at the desk, and what they are told."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.errors import AlertsError, NothingToAcknowledge, UnknownAlarm, UnknownChannel, UnknownContact
from alerts.event import Event, Kind, State
from alerts.views import Progress
from tests.alerts.room import Room
from tests.alerts.support import START, hot


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room whose desk is closed at the end."""
    found = Room(tmp_path)
    yield found
    found.desk.close()


def test_an_unacknowledged_alarm_repeats_and_escalates(room: Room) -> None:
    """Raised at 0; repeats at 60, 120, 180 s; the second contact at 5 min; then silence."""
    room.apply()
    assert room.deliver() == [("raised", "kim")]
    assert room.after(seconds=59) == []
    assert room.after(seconds=1) == [("repeated", "kim")]
    assert room.after(seconds=60) == [("repeated", "kim")]
    assert room.after(seconds=60) == [("repeated", "kim")]
    assert room.after(seconds=60) == []
    assert room.after(seconds=60) == [("escalated", "lee")]
    assert room.after(hours=5) == []


def test_an_acknowledgement_stops_all_and_tells_those_who_were_told(room: Room) -> None:
    """Kim was told and hears of it; lee never was and does not; nothing follows."""
    room.apply()
    room.deliver()
    event = room.desk.acknowledge("rack1-hot", "lee", "가는 중", room.clock())
    assert (event.kind, event.by, event.note) == (Kind.ACKNOWLEDGED, "lee", "가는 중")
    assert room.deliver() == [("acknowledged", "kim")]
    assert room.after(hours=1) == []
    assert room.desk.alarm("rack1-hot").state is State.ACKNOWLEDGED


def test_an_acknowledgement_cancels_what_was_not_sent_yet(room: Room) -> None:
    """A call that nobody has received yet is cancelled, and who never heard of the alarm hears nothing more."""
    room.apply()
    room.desk.acknowledge("rack1-hot", "lee", "", room.clock())
    assert room.deliver() == []
    assert [each.progress for each in room.desk.notifications()] == [Progress.CANCELLED]


def test_what_is_being_sent_at_the_acknowledgement_is_not_tried_again(room: Room) -> None:
    """A try under way may fail; the acknowledged alarm is not told again, the acknowledgement is."""
    room.apply()
    [claim] = room.desk.outbox.claim({"one": 9}, room.clock(), timedelta(seconds=60))
    room.desk.acknowledge("rack1-hot", "lee", "", room.clock())
    assert room.after(seconds=61) == [("acknowledged", "kim")]
    assert claim.contact == "kim"
    progress = {each.kind: each.progress for each in room.desk.notifications()}
    assert progress[Kind.RAISED] is Progress.CANCELLED


def test_an_attached_line_rides_on_the_next_message_only(room: Room) -> None:
    """What an evacuation came to is told once, with the next message of its alarm."""
    room.apply()
    room.desk.attach("rack1-hot", "문서 3건 남음")
    room.after(seconds=60)
    room.after(seconds=60)
    found = ["문서 3건 남음" in event.message for event in room.desk.events()]
    assert found == [False, True, False]


def test_inform_goes_to_all_who_were_told_at_once(room: Room) -> None:
    """News of an alarm reaches everyone on its reached steps, also after it was acknowledged."""
    room.apply()
    room.deliver()
    room.after(minutes=5)
    room.desk.acknowledge("rack1-hot", "kim", "", room.clock())
    room.deliver()
    event = room.desk.inform("rack1-hot", "문서 모두 나감", room.clock())
    assert event.message.endswith("문서 모두 나감")
    assert sorted(room.deliver()) == [("info", "kim"), ("info", "lee")]


def test_shelving_is_silent_and_ends_by_itself(room: Room) -> None:
    """While shelved nothing is told; what holds at its end is raised as new."""
    room.apply()
    room.deliver()
    room.desk.shelve("rack1-hot", timedelta(hours=2), "kim", "점검", room.clock())
    assert room.deliver() == [("info", "kim")]
    room.apply(active=False)
    room.apply()
    assert room.after(minutes=119) == []
    assert room.desk.outbox.next_due(room.clock()) == room.clock() + timedelta(minutes=1)
    assert room.after(minutes=1) == [("raised", "kim")]
    assert [event.kind for event in room.desk.events()].count(Kind.CLEARED) == 1


def test_an_alarm_may_be_shelved_before_it_was_ever_raised(room: Room) -> None:
    """Work begins on a healthy thing; its first alarm during the work is told to nobody."""
    room.desk.shelve("rack1-hot", timedelta(hours=2), "kim", "점검", room.clock())
    room.apply()
    assert room.deliver() == []
    with pytest.raises(UnknownAlarm):
        room.desk.shelve("nothing", timedelta(hours=2), "kim", "점검", room.clock())


def test_what_is_unknown_is_named(room: Room) -> None:
    """Unknown alarms, contacts and channels are errors with a hint."""
    room.apply()
    for error, act in (
        (UnknownAlarm, lambda: room.desk.acknowledge("nothing", "kim", "", START)),
        (UnknownContact, lambda: room.desk.acknowledge("rack1-hot", "nobody", "", START)),
        (UnknownContact, lambda: room.desk.shelve("rack1-hot", timedelta(hours=1), "nobody", "x", START)),
        (UnknownAlarm, lambda: room.desk.attach("nothing", "x")),
        (UnknownAlarm, lambda: room.desk.inform("nothing", "x", START)),
        (UnknownAlarm, lambda: room.desk.alarm("nothing")),
        (UnknownContact, lambda: room.desk.test("nobody", None, START)),
        (UnknownChannel, lambda: room.desk.test(None, "nothing", START)),
    ):
        with pytest.raises(error) as found:
            act()
        assert found.value.hint
    room.desk.acknowledge("rack1-hot", "kim", "", START)
    with pytest.raises(NothingToAcknowledge):
        room.desk.acknowledge("rack1-hot", "kim", "", START)


def test_listeners_hear_after_the_commit_and_a_bad_one_stops_nothing(room: Room) -> None:
    """What a listener is told is already in the file; one that raises does not keep the next from hearing."""
    heard: list[bool] = []

    def bad(_event: Event) -> None:
        raise RuntimeError("bad listener")

    room.desk.subscribe(bad)
    end = room.desk.subscribe(lambda event: heard.append(event in room.desk.events()))
    room.apply()
    end()
    room.apply(active=False)
    assert heard == [True]


def test_many_threads_tell_the_same_and_it_is_raised_once(room: Room) -> None:
    """Eight threads with the same conditions make one event for each alarm."""
    found: list[Event | None] = []

    def tell() -> None:
        found.extend(room.desk.apply(hot(alarm=f"hot:{number}")) for number in range(20))

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([event for event in found if event]) == 20
    assert len(room.desk.alarms()) == 20


def test_errors_of_the_desk_share_a_base(room: Room) -> None:
    """Callers catch one class."""
    room.desk.close()
    with pytest.raises(AlertsError) as found:
        room.apply()
    assert "closed" in str(found.value)
