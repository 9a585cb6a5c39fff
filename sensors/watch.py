"""Holds every alarm's rule and turns readings and silence into conditions."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
import structlog

from alerts.condition import Condition
from config.model import Alarm, Severity
from sensors.clock import Clock
from sensors.reading import Reading
from sensors.rules import Watched, points_of, step
from sensors.rulestore import Stored, freeze, thaw
from sensors.silence import Verdict
from sensors.teller import Teller
from sensors.words import Language, say_limit, say_part, say_value

log = structlog.get_logger(__name__)

#: The newest value of an alarm that holds is told at most this often, in seconds.
RENEW = 1.0
#: A rule that raised something unexpected rests for so long.
ASIDE = 60.0


class Watch:
    """All rules of a room. Lives in the loop; what it decides goes to the teller, which stores and tells it."""

    def __init__(
        self, alarms: Iterable[Alarm], units: Mapping[str, str], teller: Teller, clock: Clock, language: Language
    ) -> None:
        """Build it.

        Args:
            alarms: the rules.
            units: the unit of each point, by `device.point`.
            teller: takes what is to be stored and told.
            clock: both clocks.
            language: of what is said.
        """
        self._alarms = {alarm.id: alarm for alarm in alarms}
        self._units, self._teller, self._clock, self._language = units, teller, clock, language
        self._states = {name: Watched() for name in self._alarms}
        self._aside: dict[str, float] = {}
        self._told: dict[str, bool] = {}
        self._renewed: dict[str, tuple[float, str]] = {}
        self._of_point: dict[str, list[str]] = {}
        for alarm in self._alarms.values():
            for point in points_of(alarm):
                self._of_point.setdefault(point, []).append(alarm.id)

    def restore(self, stored: Mapping[str, Stored]) -> None:
        """Go on from what was stored, and tell it again: the last telling may not have got through."""
        now, steady = self._clock.now(), self._clock.steady()
        for name, row in stored.items():
            alarm = self._alarms[name]
            self._states[name] = thaw(alarm, row, now, steady)
            self._tell(self._condition(alarm, self._states[name], "still so after a restart", now))

    def take(self, reading: Reading) -> None:
        """Apply one reading to every rule that looks at its point."""
        for name in self._of_point.get(reading.name, ()):
            if self._aside.get(name, 0.0) > self._clock.steady():
                continue
            try:
                self._apply(self._alarms[name], reading)
            except Exception as error:  # noqa: BLE001 - set aside, logged and told
                self._set_aside(name, error)
            else:
                self._rule_works(name)

    def verdict(self, verdict: Verdict) -> None:
        """Tell an automatic alarm when it changes, and once after a start."""
        if self._told.get(verdict.alarm) is verdict.active:
            return
        self._tell(
            Condition(
                alarm=verdict.alarm,
                active=verdict.active,
                severity=Severity.ALERT,
                text=say_part(verdict.alarm, verdict.subject, self._language, answers=verdict.answers),
                reason=verdict.reason,
                at=self._clock.now(),
            )
        )

    def _apply(self, alarm: Alarm, reading: Reading) -> None:
        before, steady = self._states[alarm.id], self._clock.steady()
        result = step(alarm, before, reading, steady)
        self._states[alarm.id] = after = result.state
        first = alarm.id not in self._told and bool(after.truths)
        if result.flipped or first or _worth_storing(before, after):
            self._teller.store(freeze(alarm, after, self._clock.now(), steady))
        if result.flipped or first:
            self._renewed[alarm.id] = (steady, after.value)
            self._tell(self._condition(alarm, after, result.reason, reading.at))
        elif after.active and after.truths.get(reading.name):
            self._renew(alarm, reading, result.reason, steady)

    def _renew(self, alarm: Alarm, reading: Reading, reason: str, steady: float) -> None:
        """Tell what the value of an alarm that holds is now: the next message of it says so."""
        told_at, told = self._renewed.get(alarm.id, (-RENEW, ""))
        value = say_value(reading.value, reading.unit)
        if value == told or steady - told_at < RENEW:
            return
        self._renewed[alarm.id] = (steady, value)
        state = msgspec.structs.replace(self._states[alarm.id], value=value)
        self._teller.renew(self._condition(alarm, state, reason, reading.at))

    def _condition(self, alarm: Alarm, state: Watched, reason: str, at: datetime) -> Condition:
        return Condition(
            alarm=alarm.id,
            active=state.active,
            severity=alarm.severity,
            text=alarm.text or alarm.id,
            value=state.value,
            limit=limit_text(alarm, self._units, self._language),
            reason=reason,
            evacuate=alarm.evacuate,
            at=at,
        )

    def _tell(self, condition: Condition) -> None:
        if self._told.get(condition.alarm, False) is not condition.active:
            log.info("condition_changed", alarm=condition.alarm, active=condition.active, reason=condition.reason)
        self._told[condition.alarm] = condition.active
        self._teller.tell(condition)

    def _set_aside(self, name: str, error: Exception) -> None:
        """One rule that is broken must not stop the others, and people hear of it."""
        self._aside[name] = self._clock.steady() + ASIDE
        reason = f"set aside for {ASIDE:g} s: {type(error).__name__}: {error}"
        log.error("rule_set_aside", alarm=name, seconds=ASIDE, exc_info=error)
        self.verdict(Verdict(f"rule:{name}", active=True, subject=name, reason=reason))

    def _rule_works(self, name: str) -> None:
        if self._aside.pop(name, None) is not None:
            self.verdict(Verdict(f"rule:{name}", active=False, subject=name, reason="it works again"))


def limit_text(alarm: Alarm, units: Mapping[str, str], language: Language) -> str:
    """The alarm's limit for people: `32°C 초과`; empty where the limit is just yes or no."""
    unit = next((units[point] for point in points_of(alarm) if point in units), "")
    if alarm.above is not None:
        return say_limit("above", f"{alarm.above:g}{unit}", language)
    if alarm.below is not None:
        return say_limit("below", f"{alarm.below:g}{unit}", language)
    if alarm.rises is not None:
        return say_limit("rises", f"{alarm.rises.by:g}{unit}", language, alarm.rises.within)
    return "" if isinstance(alarm.is_, bool) else say_limit("is", str(alarm.is_), language)


def _worth_storing(before: Watched, after: Watched) -> bool:
    """Whether a delay began or ended, or a window grew: enough for a restart to go on from."""
    lengths = [[w[-1][0] for w in state.windows.values()] for state in (before, after)]
    return before.since != after.since or lengths[0] != lengths[1]
