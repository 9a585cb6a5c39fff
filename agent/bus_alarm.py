"""A dead broker is itself an event: told after a grace, for a broker that is started again is soon back."""

import asyncio
from collections.abc import Callable

from agent.evacuation import utc_now
from alerts.condition import Condition
from config.model import Severity

#: The alarm's id.
ALARM = "bus"
# A broker that was there gets this long to come back; one that is just starting, longer.
_GRACE_SECONDS = 3.0
_START_SECONDS = 20.0


class BusAlarm:
    """Turns the bus's ups and downs into one condition. From the event loop's thread only."""

    def __init__(self, language: str, offer: Callable[[Condition], None]) -> None:
        self._language = language
        self._offer = offer
        self._reason = ""
        self._grace = _START_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._told = False

    def changed(self, up: bool, reason: str) -> None:
        """Take a change in."""
        self._reason = reason
        if up or reason == "stopped":
            self._cancel()
            self._grace = _GRACE_SECONDS
            if up:
                self._told = False
                self._offer(self._condition(False, "the broker is there"))
        elif self._told:
            self._offer(self._condition(True, reason))
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._grace, self._tell)

    def _tell(self) -> None:
        self._timer, self._told = None, True
        self._offer(self._condition(True, self._reason))

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _condition(self, active: bool, reason: str) -> Condition:
        text = "MQTT 브로커 연결 끊김" if self._language == "ko" else "MQTT broker not reachable"
        return Condition(alarm=ALARM, active=active, severity=Severity.CAUTION, text=text, reason=reason, at=utc_now())
