"""The life of an alarm: pure steps from a state and an input to the next state, an event and its reason."""

from datetime import datetime, timedelta
from enum import Enum

import msgspec
from msgspec.structs import replace

from alerts.condition import Condition
from alerts.errors import NothingToAcknowledge, ShelvingRefused
from alerts.event import Kind, State
from alerts.views import AlarmView
from config.model import Severity

RANK = {severity: rank for rank, severity in enumerate(Severity)}
_WAITING = (State.UNACKNOWLEDGED, State.RETURNED)


class Telling(Enum):
    """Who hears of a step."""

    NOBODY = "nobody"
    ROUTE = "route"  # the routes of its severity, from their first step
    TOLD = "told"  # those who heard of this occurrence before


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step in an alarm's life.

    Attributes:
        alarm: the alarm after it.
        kind: the event that it is.
        telling: who hears of it.
        reason: why, for the event, the log and the label.
        fresh: whether a new occurrence begins; its id is then the event's.
        quiets: whether everything that still calls for this occurrence ends.
    """

    alarm: AlarmView
    kind: Kind
    telling: Telling
    reason: str
    fresh: bool = False
    quiets: bool = False


def on_condition(alarm: AlarmView | None, condition: Condition, part: str = "") -> Step | None:
    """Take a condition in. None when it says nothing new."""
    if alarm is None:
        if not condition.active:
            return None
        alarm = AlarmView(
            id=condition.alarm, severity=condition.severity, peak=condition.severity, part=part, changed_at=condition.at
        )
    if condition.active and not alarm.active:
        return _raise(alarm, condition, part)
    if not condition.active and alarm.active:
        return _clear(alarm, condition)
    if condition.active and condition.severity is not alarm.severity:
        return _regrade(alarm, condition)
    return None


def _holding(alarm: AlarmView, condition: Condition) -> AlarmView:
    return replace(
        alarm,
        active=True,
        severity=condition.severity,
        text=condition.text,
        value=condition.value,
        limit=condition.limit,
        reason=condition.reason,
        evacuate=condition.evacuate,
        changed_at=condition.at,
    )


def _raise(alarm: AlarmView, condition: Condition, part: str) -> Step:
    held = replace(_holding(alarm, condition), peak=condition.severity, part=part, raised_at=condition.at)
    if alarm.state is State.SHELVED:
        return Step(alarm=held, kind=Kind.RAISED, telling=Telling.NOBODY, reason=_because("shelved", condition))
    held = replace(held, state=State.UNACKNOWLEDGED, acknowledged_by="", acknowledged_at=None, attached="")
    reason = condition.reason or "the condition holds"
    return Step(alarm=held, kind=Kind.RAISED, telling=Telling.ROUTE, reason=reason, fresh=True)


def _clear(alarm: AlarmView, condition: Condition) -> Step:
    after = {State.UNACKNOWLEDGED: State.RETURNED, State.SHELVED: State.SHELVED}.get(alarm.state, State.NORMAL)
    free = replace(
        alarm,
        state=after,
        active=False,
        value=condition.value,
        reason=condition.reason,
        changed_at=condition.at,
    )
    shelved = alarm.state is State.SHELVED
    return Step(
        alarm=free,
        kind=Kind.CLEARED,
        telling=Telling.NOBODY if shelved else Telling.TOLD,
        reason=_because("shelved", condition) if shelved else condition.reason or "the condition is over",
    )


def _regrade(alarm: AlarmView, condition: Condition) -> Step:
    """Take a new severity in: a worse one than the occurrence has seen calls anew, any other is only written down."""
    held = _holding(alarm, condition)
    change = f"severity from {alarm.severity} to {condition.severity}"
    worse = RANK[condition.severity] > RANK[alarm.peak]
    if worse:
        held = replace(held, peak=condition.severity)
    if not worse or alarm.state is State.SHELVED:
        return Step(alarm=held, kind=Kind.INFO, telling=Telling.NOBODY, reason=change)
    held = replace(held, state=State.UNACKNOWLEDGED, acknowledged_by="", acknowledged_at=None)
    return Step(alarm=held, kind=Kind.ESCALATED, telling=Telling.ROUTE, reason=change)


def _because(why: str, condition: Condition) -> str:
    return f"{why}: {condition.reason}" if condition.reason else why


def on_acknowledge(alarm: AlarmView, by: str, at: datetime) -> Step:
    """Somebody takes the alarm.

    Raises:
        NothingToAcknowledge: it waits for nobody.
    """
    if alarm.state not in _WAITING:
        raise NothingToAcknowledge(alarm.id, alarm.state)
    after = State.ACKNOWLEDGED if alarm.active else State.NORMAL
    taken = replace(alarm, state=after, acknowledged_by=by, acknowledged_at=at, changed_at=at)
    reason = f"acknowledged by {by}"
    return Step(alarm=taken, kind=Kind.ACKNOWLEDGED, telling=Telling.TOLD, reason=reason, quiets=True)


def on_shelve(alarm: AlarmView, duration: timedelta, by: str, reason: str, at: datetime) -> Step:
    """Somebody works on the thing: it is silent until the time is over.

    Raises:
        ShelvingRefused: the time is not longer than 0, or there is no reason.
    """
    if duration <= timedelta(0):
        raise ShelvingRefused(alarm.id, f"{duration} is not longer than 0")
    if not reason.strip():
        raise ShelvingRefused(alarm.id, "no reason given")
    shelved = replace(alarm, state=State.SHELVED, shelved_by=by, shelved_until=at + duration, changed_at=at)
    why = f"shelved by {by}: {reason}"
    return Step(alarm=shelved, kind=Kind.INFO, telling=Telling.TOLD, reason=why, quiets=True)


def on_unshelve(alarm: AlarmView, now: datetime) -> Step | None:
    """End a shelving whose time is over: what still holds is raised as new. None before its time."""
    if alarm.state is not State.SHELVED or alarm.shelved_until is None or alarm.shelved_until > now:
        return None
    back = replace(alarm, shelved_by="", shelved_until=None, changed_at=now, acknowledged_by="", acknowledged_at=None)
    reason = "the shelving is over"
    if not alarm.active:
        return Step(alarm=replace(back, state=State.NORMAL), kind=Kind.INFO, telling=Telling.NOBODY, reason=reason)
    back = replace(back, state=State.UNACKNOWLEDGED, peak=alarm.severity, raised_at=now, attached="")
    return Step(alarm=back, kind=Kind.RAISED, telling=Telling.ROUTE, reason=reason, fresh=True)


def restrained(alarm: AlarmView, now: datetime) -> AlarmView:
    """Return an alarm whose shelving does not outlast its own time when the clock was set back while nobody looked."""
    if alarm.shelved_until is None or alarm.changed_at <= now:
        return alarm
    return replace(alarm, shelved_until=now + (alarm.shelved_until - alarm.changed_at), changed_at=now)
