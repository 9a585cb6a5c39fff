"""The desk over a real state file, along a timeline that the test moves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.event import Kind, State
from alerts.inbox import Inbox
from config.model import Severity
from tests.alerts.room import Room
from tests.alerts.support import START, hot, site


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room whose desk is closed at the end."""
    found = Room(tmp_path)
    yield found
    found.desk.close()


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


def test_one_bad_condition_of_a_report_stops_no_other(room: Room) -> None:
    """A time without a zone cannot be kept; what is beside it is raised and cleared all the same, and it is told."""
    inbox = Inbox(room.desk)
    inbox.report("replicator", [hot(alarm="old:one")], START)
    bad = hot(alarm="bad:one", at=START.replace(tzinfo=None))
    with pytest.raises(TypeError):
        inbox.report("replicator", [bad, hot(alarm="good:one")], START)
    assert room.desk.alarm("good:one").active
    assert not room.desk.alarm("old:one").active


def test_an_alarm_that_is_configured_no_more_is_cleared_at_the_next_start(room: Room) -> None:
    """What nothing would ever clear does not stay for ever."""
    room.apply()
    room.config = site(room.tmp, alarm=[])
    room.reopen()
    assert not room.desk.alarm("rack1-hot").active


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


def test_a_repeat_says_the_value_of_now(room: Room) -> None:
    """A value that drifts makes no event and no message; the next repeat says it, with the time of the raise."""
    room.apply(value="33.1°C")
    room.deliver()
    room.clock.pass_(seconds=30)
    assert room.apply(value="50°C", text="랙1 온도 급상승", limit="32.0°C 초과") is None
    assert room.deliver() == []
    assert room.after(seconds=30) == [("repeated", "kim")]
    message = room.desk.newest_events(1)[0].message
    assert "50°C (32.0°C 초과)" in message
    assert "랙1 온도 급상승" in message
    assert "(발생 14:03:05)" in message
    assert room.desk.alarm("rack1-hot").value == "50°C"


def test_what_nobody_would_clear_is_cleared_by_a_start(room: Room) -> None:
    """Alarms of a device, link, rule, channel, broker or part that is no longer configured do not stay for ever."""
    names = ["lost:gone", "link:gone", "rule:gone", "channel:gone", "bus", "part:replicator", "gone"]
    for name in [*names, "rack1-hot", "channel:one"]:
        room.apply(alarm=name)
    room.desk.apply(hot(alarm="channel:two-gone"), part="channels")
    room.desk.apply(hot(alarm="blind:docs"), part="replicator")
    room.reopen()
    held = {view.id for view in room.desk.alarms() if view.active}
    assert held == {"rack1-hot", "channel:one"}


def test_a_damaged_alarm_is_set_aside_and_told(room: Room) -> None:
    """The other alarms are shown and worked on; what holds is raised anew; the next start says what was lost."""
    room.apply()
    room.apply(alarm="channel:one")
    room.apply(alarm="channel:two")
    room.deliver()
    with room.desk._store.transaction("damage") as db:
        db.execute("UPDATE alarms SET view = x'7b' WHERE id IN ('rack1-hot', 'channel:one')")
        db.execute("UPDATE events SET view = x'00' WHERE alarm = 'channel:one'")
    assert [view.id for view in room.desk.alarms()] == ["channel:two"]
    assert {event.alarm for event in room.desk.events()} == {"rack1-hot", "channel:two"}
    assert room.after(minutes=1) == [("repeated", "kim")]
    assert room.apply() is not None, "it still holds, and is raised anew"
    room.reopen()
    assert {view.id: view.value for view in room.desk.alarms()} == {
        "rack1-hot": "35.2°C",
        "channel:two": "35.2°C",
        "store": "channel:one",
    }
    room.reopen()
    assert not room.desk.alarm("store").active
