"""Thousands of random steps on a real desk: what must hold for people holds after each."""

import shutil
import tempfile
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerts.desk import Desk
from alerts.errors import NothingToAcknowledge, Reason, UnknownAlarm
from alerts.event import CALLING, State
from alerts.queue import Attempt, Claim
from alerts.retry import after_failure
from alerts.views import Progress
from config.model import Severity
from tests.alerts.support import FakeClock, hot, site

ALARMS = st.sampled_from(["hot:1", "leak:2"])


class Desks(RuleBasedStateMachine):
    """Conditions, people, time, channels that take or fail, and restarts, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="bongsu-test-"))
        self.clock = FakeClock()
        self.config = site(self.folder)
        self.desk = self._opened()
        self.claims: list[Claim] = []
        self.told: dict[tuple[str, str], list[str]] = defaultdict(list)

    def _opened(self) -> Desk:
        return Desk.open(self.folder / "monitor.sqlite", self.config, clock=self.clock)

    def teardown(self) -> None:
        """Clean up."""
        self.desk.close()
        shutil.rmtree(self.folder)

    @rule(alarm=ALARMS, active=st.booleans(), severity=st.sampled_from([Severity.ALERT, Severity.CRITICAL]))
    def condition(self, alarm: str, active: bool, severity: Severity) -> None:
        """A condition is told; told again it is nothing."""
        told = hot(alarm=alarm, active=active, severity=severity, at=self.clock())
        self.desk.apply(told)
        assert self.desk.apply(told) is None

    @rule(alarm=ALARMS)
    def acknowledge(self, alarm: str) -> None:
        """Somebody takes an alarm."""
        try:
            event = self.desk.acknowledge(alarm, "lee", "", self.clock())
        except (UnknownAlarm, NothingToAcknowledge):
            return
        assert not [
            view
            for view in self.desk.notifications(limit=1000)
            if view.kind in CALLING
            and view.alarm == alarm
            and view.progress is Progress.PENDING
            and view.event >= event.occurrence
        ]

    @rule(alarm=ALARMS, minutes=st.integers(1, 10))
    def shelve(self, alarm: str, minutes: int) -> None:
        """Somebody works on it."""
        try:
            self.desk.shelve(alarm, timedelta(minutes=minutes), "kim", "work", self.clock())
        except UnknownAlarm:
            return

    @rule(seconds=st.sampled_from([0.1, 1, 30, 61, 400]))
    def time_passes(self, seconds: float) -> None:
        """Time goes on; repeats, escalations and ends of shelvings come due."""
        now = self.clock.pass_(seconds=seconds)
        self.desk.unshelve_due(now)
        self.desk.advance(now)

    @rule(room=st.integers(1, 3))
    def claim(self, room: int) -> None:
        """The dispatcher takes what is due; never two of one contact and alarm at once."""
        new = self.desk.outbox.claim({"one": room, "two": room}, self.clock(), timedelta(seconds=60))
        pairs = [(claim.contact, claim.event.alarm) for claim in new]
        assert len(pairs) == len(set(pairs))
        self.claims += new

    @rule(data=st.data())
    def a_channel_takes_it(self, data: st.DataObject) -> None:
        """One try works."""
        if self.claims:
            claim = self.claims.pop(data.draw(st.integers(0, len(self.claims) - 1)))
            self.desk.outbox.accepted(claim, Attempt(started=self.clock(), finished=self.clock()))
            self.told[claim.contact, claim.event.alarm].append(claim.id)

    @rule(data=st.data(), permanent=st.booleans())
    def a_channel_fails(self, data: st.DataObject, permanent: bool) -> None:
        """One try does not work."""
        if not self.claims:
            return
        claim = self.claims.pop(data.draw(st.integers(0, len(self.claims) - 1)))
        now, why = self.clock(), Reason.TIMEOUT
        after = after_failure(claim.tries, permanent=permanent, created=claim.created, now=now, once=False, why=why)
        self.desk.outbox.failed(claim, Attempt(started=now, finished=now, reason=why, permanent=permanent), after)

    @rule()
    def killed_and_started_again(self) -> None:
        """The process dies with tries under way; the next one sends them again."""
        self.desk.close()
        self.claims.clear()
        self.desk = self._opened()
        self.desk.outbox.release()

    @invariant()
    def only_waiting_alarms_call(self) -> None:
        """An alarm that does not wait for anybody has nothing that will call for it later."""
        with self.desk._store.reading("look") as db:
            calling = {row[0] for row in db.execute("SELECT alarm FROM calls")}
        waiting = {view.id for view in self.desk.alarms() if view.state is State.UNACKNOWLEDGED}
        assert calling <= waiting

    @invariant()
    def accepted_is_never_open_again(self) -> None:
        """What a channel took is finished; a double only comes from a try that ended unknown."""
        taken = {name for ids in self.told.values() for name in ids}
        states = {view.id: view.progress for view in self.desk.notifications(limit=1000)}
        assert {states[name] for name in taken} <= {Progress.ACCEPTED, Progress.CANCELLED}

    @invariant()
    def nobody_is_told_out_of_order(self) -> None:
        """For one contact and alarm the events arrive in the order in which they happened."""
        lease_lost = any(view.attempts > 1 for view in self.desk.notifications(limit=1000))
        for ids in self.told.values():
            assert lease_lost or ids == sorted(ids)


Desks.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
test_random_desks = Desks.TestCase
