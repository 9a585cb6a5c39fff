"""The life of an alarm: single steps, and thousands of random ones."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerts.alarm import RANK, Step, Telling, on_acknowledge, on_condition, on_shelve, on_unshelve
from alerts.errors import NothingToAcknowledge, ShelvingRefused
from alerts.event import Kind, State
from alerts.views import AlarmView
from config.model import Severity
from tests.alerts.support import START, hot


def _raised() -> AlarmView:
    step = on_condition(None, hot())
    assert step is not None
    return step.alarm


def _after(step: Step | None) -> AlarmView:
    assert step is not None
    return step.alarm


def test_an_inactive_condition_of_an_unknown_alarm_is_nothing() -> None:
    """What was never raised cannot be cleared."""
    assert on_condition(None, hot(active=False)) is None


def test_raised_starts_a_new_occurrence_on_its_route() -> None:
    """A first active condition is unacknowledged, fresh, and goes by its route."""
    step = on_condition(None, hot(reason="35.2 > 32.0"))
    assert step is not None
    assert (step.alarm.state, step.kind, step.telling, step.fresh) == (
        State.UNACKNOWLEDGED,
        Kind.RAISED,
        Telling.ROUTE,
        True,
    )
    assert step.reason == "35.2 > 32.0"


def test_the_same_condition_again_is_nothing() -> None:
    """A drift of the value alone is no event."""
    assert on_condition(_raised(), hot(value="36.0°C")) is None


@pytest.mark.parametrize(
    ("acknowledged", "after"), [(False, State.RETURNED), (True, State.NORMAL)], ids=["unacknowledged", "acknowledged"]
)
def test_cleared(acknowledged: bool, after: State) -> None:
    """What returns without an acknowledgement still waits for one; those who were told hear of it."""
    alarm = on_acknowledge(_raised(), "kim", START).alarm if acknowledged else _raised()
    step = on_condition(alarm, hot(active=False))
    assert step is not None
    assert (step.alarm.state, step.kind, step.telling) == (after, Kind.CLEARED, Telling.TOLD)


def test_raised_again_is_a_new_occurrence() -> None:
    """An alarm that returned unacknowledged and comes back is fresh."""
    step = on_condition(_after(on_condition(_raised(), hot(active=False))), hot())
    assert step is not None
    assert step.fresh


def test_a_worse_severity_calls_anew_even_when_acknowledged() -> None:
    """Worse than the occurrence ever was: unacknowledged again, by the route of the worse severity."""
    low = _after(on_condition(None, hot(severity=Severity.CAUTION)))
    step = on_condition(on_acknowledge(low, "kim", START).alarm, hot(severity=Severity.CRITICAL))
    assert step is not None
    assert (step.kind, step.telling, step.fresh) == (Kind.ESCALATED, Telling.ROUTE, False)
    assert (step.alarm.state, step.alarm.acknowledged_by) == (State.UNACKNOWLEDGED, "")


def test_a_milder_severity_is_written_down_and_calls_nobody() -> None:
    """Down and up again within what the occurrence has seen is told to nobody."""
    step = on_condition(_raised(), hot(severity=Severity.NOTICE))
    assert step is not None
    assert (step.kind, step.telling, step.alarm.peak) == (Kind.INFO, Telling.NOBODY, Severity.CRITICAL)
    again = on_condition(step.alarm, hot())
    assert again is not None
    assert again.telling is Telling.NOBODY


def test_acknowledging_quiets_all_calls() -> None:
    """Who takes it is kept, and everything that calls ends."""
    step = on_acknowledge(_raised(), "kim", START)
    assert (step.alarm.state, step.alarm.acknowledged_by, step.quiets) == (State.ACKNOWLEDGED, "kim", True)
    with pytest.raises(NothingToAcknowledge, match="acknowledge rack1-hot: it is acknowledged"):
        on_acknowledge(step.alarm, "kim", START)


def test_shelving_needs_a_time_and_a_reason() -> None:
    """A shelving without an end or without a reason is refused."""
    with pytest.raises(ShelvingRefused):
        on_shelve(_raised(), timedelta(0), "kim", "work", START)
    with pytest.raises(ShelvingRefused):
        on_shelve(_raised(), timedelta(hours=1), "kim", " ", START)


def test_a_shelved_alarm_is_written_down_and_told_to_nobody() -> None:
    """While it is shelved raised and cleared are events, and no message."""
    alarm = on_shelve(_raised(), timedelta(hours=1), "kim", "work", START).alarm
    step = on_condition(alarm, hot(active=False))
    assert step is not None
    assert (step.telling, step.alarm.state) == (Telling.NOBODY, State.SHELVED)
    assert step.reason.startswith("shelved")


def test_what_still_holds_when_shelving_ends_is_raised_anew() -> None:
    """Not a moment before its time, then as a new occurrence."""
    alarm = on_shelve(_raised(), timedelta(hours=1), "kim", "work", START).alarm
    assert on_unshelve(alarm, START + timedelta(minutes=59, seconds=59)) is None
    step = on_unshelve(alarm, START + timedelta(hours=1))
    assert step is not None
    assert (step.alarm.state, step.kind, step.fresh) == (State.UNACKNOWLEDGED, Kind.RAISED, True)


class AlarmLife(RuleBasedStateMachine):
    """Random conditions, people and time; the invariants of ISA-18.2 hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.alarm: AlarmView | None = None
        self.now = START
        self.holds = False

    def _take(self, step: Step | None) -> None:
        if step is not None:
            assert step.reason
            self.alarm = step.alarm

    @rule(active=st.booleans(), severity=st.sampled_from(Severity))
    def condition(self, active: bool, severity: Severity) -> None:
        """A condition is told, and told again."""
        self.holds = active
        told = hot(active=active, severity=severity, at=self.now)
        self._take(on_condition(self.alarm, told))
        assert on_condition(self.alarm, told) is None

    @rule()
    def acknowledge(self) -> None:
        """Somebody acknowledges, whether it waits or not."""
        if self.alarm is None:
            return
        waits = self.alarm.state in {State.UNACKNOWLEDGED, State.RETURNED}
        try:
            self._take(on_acknowledge(self.alarm, "kim", self.now))
        except NothingToAcknowledge:
            assert not waits
        else:
            assert waits

    @rule(minutes=st.integers(1, 120))
    def shelve(self, minutes: int) -> None:
        """Somebody shelves."""
        if self.alarm is not None:
            self._take(on_shelve(self.alarm, timedelta(minutes=minutes), "kim", "work", self.now))

    @rule(minutes=st.integers(0, 90))
    def time_passes(self, minutes: int) -> None:
        """Time goes on."""
        self.now += timedelta(minutes=minutes)
        if self.alarm is not None:
            self._take(on_unshelve(self.alarm, self.now))

    @invariant()
    def state_and_condition_agree(self) -> None:
        """The state fits the condition, and the peak is the worst."""
        if self.alarm is None:
            assert not self.holds
            return
        alarm = self.alarm
        assert alarm.active == self.holds
        allowed = {
            True: {State.UNACKNOWLEDGED, State.ACKNOWLEDGED, State.SHELVED},
            False: {State.NORMAL, State.RETURNED, State.SHELVED},
        }
        assert alarm.state in allowed[self.holds]
        assert (alarm.state is State.SHELVED) == (alarm.shelved_until is not None)
        assert RANK[alarm.severity] <= RANK[alarm.peak]


AlarmLife.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
test_random_lives = AlarmLife.TestCase
