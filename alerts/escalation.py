"""When an alarm that nobody acknowledges is told again, and to whom: pure, with the time passed in."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from alerts.event import Kind
from alerts.routing import Delivery, Planned, deliveries


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """How far an occurrence is with one step of its route.

    Attributes:
        route, step: the step's place in the configuration.
        told: how often it was told.
        next_at: when it is told next; none when it never is again.
    """

    route: int
    step: int
    told: int = 0
    next_at: datetime | None


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One telling: everything of an occurrence that is due at one moment.

    Attributes:
        kind: `escalated` when a step is told for the first time, else `repeated`.
        number: how often its most told step was told before.
        deliveries: who is told, each contact once.
        calls: the steps that were due, as they stand after it.
        reason: why it is told.
    """

    kind: Kind
    number: int
    deliveries: list[Delivery]
    calls: list[Call]
    reason: str


def begin(steps: Sequence[Planned], started: datetime) -> list[Call]:
    """Return every step as not yet told."""
    return [Call(route=step.route, step=step.step, next_at=started + step.after) for step in steps]


def resume(had: Iterable[Call], steps: Sequence[Planned], now: datetime) -> list[Call]:
    """Return every step as it was, a new one as not yet told.

    None waits longer than its own time from now: a clock that was ahead and has been set back while nobody looked
    must not silence the rest of an escalation.
    """
    before = {(call.route, call.step): call for call in had}
    return [
        replace(call, next_at=min(call.next_at, now + _longest(call, step))) if call.next_at else call
        for step in steps
        for call in [before.get((step.route, step.step)) or begin([step], now)[0]]
    ]


def _longest(call: Call, step: Planned) -> timedelta:
    return step.repeat if call.told and step.repeat else step.after


def due(calls: Iterable[Call], steps: Sequence[Planned], now: datetime) -> Round | None:
    """Return what is to be told now, or none.

    However late it is, a step is told once and its next time counts from now: after a stop nobody gets a burst.
    A step that the configuration no longer has is over.
    """
    known = {(step.route, step.step): step for step in steps}
    ready = [call for call in calls if call.next_at is not None and call.next_at <= now]
    pairs = [(call, known[call.route, call.step]) for call in ready if (call.route, call.step) in known]
    if not pairs:
        return None
    number = max(call.told for call, _ in pairs)
    fresh = [call for call, _ in pairs if call.told == 0]
    return Round(
        kind=Kind.ESCALATED if fresh else Kind.REPEATED,
        number=number,
        deliveries=deliveries(step for _, step in pairs),
        calls=[_after(call, step, now) for call, step in pairs],
        reason=_reason(fresh, number),
    )


def _after(call: Call, step: Planned, now: datetime) -> Call:
    again = step.repeat is not None and call.told < step.times
    return replace(call, told=call.told + 1, next_at=now + step.repeat if again and step.repeat else None)


def _reason(fresh: list[Call], number: int) -> str:
    if fresh:
        return f"step {max(call.step for call in fresh) + 1}: nobody has acknowledged"
    return f"repeat {number}: nobody has acknowledged"
