"""A desk along a timeline that the test moves."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from alerts.desk import Desk
from alerts.event import Event
from alerts.queue import Attempt
from tests.alerts.support import FakeClock, hot, site


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
