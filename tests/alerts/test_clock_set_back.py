"""A clock that was ahead and was set back, between two lives of the monitor or in the middle of one."""

from datetime import timedelta
from pathlib import Path

from alerts.desk import Desk
from alerts.event import Kind, State
from tests.alerts.support import START, FakeClock, hot, site

_AHEAD = timedelta(days=365)


def test_an_escalation_goes_on_after_its_own_time(tmp_path: Path) -> None:
    """Raised when the clock was a year ahead: after a restart by the right time the repeats and the next step come."""
    clock, config, path = FakeClock(START + _AHEAD), site(tmp_path), tmp_path / "monitor.sqlite"
    desk = Desk.open(path, config, clock=clock)
    desk.apply(hot(at=clock()))
    desk.close()
    clock = FakeClock(START)
    desk = Desk.open(path, config, clock=clock)
    assert desk.advance(clock.pass_(seconds=59)) == []
    assert [event.kind for event in desk.advance(clock.pass_(seconds=1))] == [Kind.REPEATED]
    for _ in range(4):
        desk.advance(clock.pass_(seconds=60))
    escalated = next(event for event in desk.events() if event.kind is Kind.ESCALATED)
    assert "lee" in [each.contact for each in desk.notifications(escalated.id)]
    desk.close()


def test_a_shelving_ends_after_its_own_time(tmp_path: Path) -> None:
    """Shelved for two hours when the clock was a year ahead: two hours, not a year and two hours."""
    clock, config, path = FakeClock(START + _AHEAD), site(tmp_path), tmp_path / "monitor.sqlite"
    desk = Desk.open(path, config, clock=clock)
    desk.apply(hot(at=clock()))
    desk.shelve("rack1-hot", timedelta(hours=2), "kim", "점검", clock())
    desk.close()
    clock = FakeClock(START)
    desk = Desk.open(path, config, clock=clock)
    assert desk.unshelve_due(clock.pass_(hours=1, minutes=59)) == []
    assert [event.kind for event in desk.unshelve_due(clock.pass_(minutes=1))] == [Kind.RAISED]
    desk.close()


def test_a_shelving_in_a_time_of_two_clocks(tmp_path: Path) -> None:
    """The wall was set back an hour under a running monitor, whose own clock does not go back: half an hour is one."""
    clock, config = FakeClock(START), site(tmp_path)
    desk = Desk.open(tmp_path / "monitor.sqlite", config, clock=clock)
    desk.apply(hot())
    desk.shelve("rack1-hot", timedelta(minutes=30), "kim", "점검", START - timedelta(hours=1))
    assert desk.unshelve_due(clock.pass_(minutes=29)) == []
    assert desk.alarm("rack1-hot").state is State.SHELVED
    assert desk.unshelve_due(clock.pass_(minutes=1))
    desk.close()
