"""The desk over a real state file, along a timeline that the test moves."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.desk import Desk
from alerts.errors import AlertsError, NothingToAcknowledge, UnknownAlarm, UnknownChannel, UnknownContact
from alerts.event import Event, Kind, State
from alerts.inbox import Inbox
from alerts.queue import Attempt
from alerts.views import Progress
from config.model import Severity
from tests.alerts.support import START, FakeClock, hot, site


class Room:
    """A desk with a clock, and a hand that delivers."""

    def __init__(self, tmp: Path) -> None:
        self.tmp = tmp
        self.clock = FakeClock()
        self.config = site(tmp)
        self.desk = Desk.open(tmp / "monitor.sqlite", self.config, clock=self.clock)

    def deliver(self) -> list[tuple[str, str]]:
        """Accept everything that is due now; return event and contact in order."""
        told: list[tuple[str, str]] = []
        while claims := self.desk.outbox.claim({"one": 9, "two": 9}, self.clock(), timedelta(seconds=60)):
            for claim in claims:
                self.desk.outbox.accepted(claim, Attempt(started=self.clock(), finished=self.clock()))
                told.append((claim.event.kind, claim.contact))
        return told

    def after(self, **time: float) -> list[tuple[str, str]]:
        """Let time pass, then return what is told."""
        now = self.clock.pass_(**time)
        self.desk.unshelve_due(now)
        self.desk.advance(now)
        return self.deliver()

    def apply(self, **facts: Any) -> Event | None:
        """Tell the desk of the hot rack."""
        return self.desk.apply(hot(at=self.clock(), **facts))

    def reopen(self) -> None:
        """Stop and start."""
        self.desk.close()
        self.desk = Desk.open(self.tmp / "monitor.sqlite", self.config, clock=self.clock)


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


def test_the_timeline_survives_a_restart(room: Room) -> None:
    """A stop of the monitor neither starts the timeline over nor sends a burst."""
    room.apply()
    room.deliver()
    room.reopen()
    assert room.after(seconds=59) == []
    assert room.after(seconds=1) == [("repeated", "kim")]
    room.clock.pass_(hours=1)
    room.reopen()
    assert sorted(room.after(seconds=0)) == [("escalated", "kim"), ("escalated", "lee")]
    assert room.after(seconds=59) == []


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


def test_clearing_stops_repeats_and_tells_once(room: Room) -> None:
    """One `cleared` to those who were told, no more repeats, and the alarm still waits for an acknowledgement."""
    room.apply()
    room.deliver()
    room.clock.pass_(seconds=30)
    room.apply(active=False)
    assert room.deliver() == [("cleared", "kim")]
    assert room.after(hours=1) == []
    assert room.desk.alarm("rack1-hot").state is State.RETURNED
    room.desk.acknowledge("rack1-hot", "kim", "", room.clock())
    assert room.desk.alarm("rack1-hot").state is State.NORMAL


def test_raised_and_cleared_before_anything_was_sent_are_both_told(room: Room) -> None:
    """With the line cut meanwhile people learn of both, in this order."""
    room.apply()
    room.apply(active=False)
    assert room.deliver() == [("raised", "kim"), ("cleared", "kim")]


def test_each_occurrence_has_its_own_id(room: Room) -> None:
    """Raised again after it was cleared: another occurrence; the events of one share its id."""
    first = room.apply()
    room.apply(active=False)
    second = room.apply()
    assert first is not None
    assert second is not None
    assert [event.occurrence for event in room.desk.events()] == [first.id, first.id, second.id]


def test_a_worse_severity_goes_by_the_worse_route_without_telling_twice_in_a_second(room: Room) -> None:
    """What was not sent is replaced; what was sent a moment ago is followed a second later."""
    room.apply(severity=Severity.ALERT)
    room.clock.pass_(seconds=0.2)
    room.apply(severity=Severity.CRITICAL)
    assert room.deliver() == [("escalated", "kim")]
    room.apply(active=False)
    room.apply(severity=Severity.ALERT)
    assert room.deliver()[-1] == ("raised", "kim")
    room.clock.pass_(seconds=0.2)
    room.apply(severity=Severity.CRITICAL)
    assert room.deliver() == []
    assert room.after(seconds=0.7) == []
    assert room.after(seconds=0.2) == [("escalated", "kim")]
    assert room.after(seconds=59.5) == [("repeated", "kim")]


def test_a_severity_without_a_route_is_stored_and_told_to_nobody(room: Room) -> None:
    """The event is there; nobody is on the way."""
    event = room.apply(severity=Severity.NOTICE)
    assert event is not None
    assert room.deliver() == []
    assert room.desk.events() == [event]


def test_a_new_route_reaches_an_alarm_that_waits(room: Room) -> None:
    """After a restart with a route for it, an alarm that nobody heard of goes out."""
    room.apply(severity=Severity.NOTICE)
    steps = [{"contacts": ["lee"], "channels": ["two"]}]
    room.config = site(room.tmp, route=[{"severity": ["notice"], "steps": steps}])
    room.reopen()
    assert room.after(seconds=0) == [("escalated", "lee")]


def test_a_step_that_is_gone_leaves_the_others_alone(room: Room) -> None:
    """A route that lost its middle step still comes to its last one."""
    steps = [{"after": after, "contacts": [who], "channels": ["one"]} for after, who in (("0s", "kim"), ("5m", "lee"))]
    gone = {"severity": ["critical"], "steps": [{"after": "1m", "contacts": ["lee"], "channels": ["one"]}]}
    kept = {"severity": ["critical"], "steps": steps}
    room.config = site(room.tmp, route=[kept, gone])
    room.reopen()
    room.apply()
    assert room.deliver() == [("raised", "kim")]
    room.config = site(room.tmp, route=[kept])
    room.reopen()
    assert room.after(minutes=2) == []
    assert room.after(minutes=3) == [("escalated", "lee")]


def test_repeats_carry_the_newest_value_and_differ(room: Room) -> None:
    """A drift of the value is no event, and the next message has it; no two texts are equal."""
    room.apply()
    assert room.desk.apply(hot(value="41.0°C")) is None
    room.after(seconds=60)
    room.after(seconds=60)
    texts = [event.message for event in room.desk.events()]
    assert len(set(texts)) == 3
    assert "41.0°C" in texts[1]
    assert room.desk.alarms()[0].value == "41.0°C"


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


def test_a_report_clears_what_the_part_reports_no_more(room: Room) -> None:
    """The inbox raises what a part tells, clears what it no longer tells, and leaves other parts alone."""
    inbox = Inbox(room.desk)
    room.apply()
    blind, silent = hot(alarm="blind:docs"), hot(alarm="vault:silent")
    assert len(inbox.report("replicator", [blind, silent], START)) == 2
    assert inbox.report("replicator", [blind, silent], START) == []
    events = inbox.report("replicator", [blind], START)
    assert [(event.alarm, event.kind) for event in events] == [("vault:silent", Kind.CLEARED)]
    assert [event.alarm for event in inbox.report("replicator", [], START)] == ["blind:docs"]
    assert room.desk.alarm("rack1-hot").active


def test_an_alarm_that_is_configured_no_more_is_cleared_at_the_next_start(room: Room) -> None:
    """What nothing would ever clear does not stay for ever; derived alarms and other parts' stay."""
    room.apply()
    room.apply(alarm="lost:rack1")
    room.config = site(room.tmp, alarm=[])
    room.reopen()
    assert not room.desk.alarm("rack1-hot").active
    assert room.desk.alarm("lost:rack1").active


def test_old_events_go_and_open_alarms_keep_theirs(room: Room) -> None:
    """After 400 days what is closed is gone with its notifications and attempts; what still waits is there."""
    room.apply()
    room.apply(alarm="leak:1")
    room.deliver()
    room.apply(active=False)
    room.desk.acknowledge("rack1-hot", "kim", "", room.clock())
    room.deliver()
    room.clock.pass_(days=401)
    room.reopen()
    assert {event.alarm for event in room.desk.events()} == {"leak:1"}
    assert {each.alarm for each in room.desk.notifications(limit=1000)} <= {"leak:1"}
    assert len(room.desk.attempts(limit=1000)) == 1


def test_a_row_that_cannot_be_read_is_set_aside(room: Room) -> None:
    """A damaged notification waits ten minutes; what follows it goes out."""
    room.apply()
    with room.desk._store.transaction("damage") as db:
        db.execute("UPDATE notifications SET channels = 'no json'")
    room.apply(alarm="leak:1")
    assert room.deliver() == [("raised", "kim")]
    assert room.after(seconds=60) == [("repeated", "kim"), ("repeated", "kim")]


def test_errors_of_the_desk_share_a_base(room: Room) -> None:
    """Callers catch one class."""
    room.desk.close()
    with pytest.raises(AlertsError) as found:
        room.apply()
    assert "closed" in str(found.value)
