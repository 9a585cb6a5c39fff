"""Who is told of what, by which channels: pure functions of the configuration."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec

from config.model import Route, Severity

CHANNEL_ALARM = "channel:"  # the prefix of a failing channel's own alarm


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a route that an alarm goes through.

    Attributes:
        route, step: its place in the configuration, both from 0.
        after: how long the alarm must have waited, unacknowledged.
        contacts: who is told, all of them.
        channels: by what, in order of preference.
        repeat: the time between two repeats; none when it is told once.
        times: how many repeats follow the first telling.
    """

    route: int
    step: int
    after: timedelta
    contacts: tuple[str, ...]
    channels: tuple[str, ...]
    repeat: timedelta | None
    times: int


class Delivery(msgspec.Struct, frozen=True):
    """One contact, and the channels to try in order."""

    contact: str
    channels: tuple[str, ...]


def plan(routes: Sequence[Route], severity: Severity) -> list[Planned]:
    """Return the steps of every route that this severity goes through, in the file's order."""
    return [
        Planned(
            route=number,
            step=place,
            after=step.after,
            contacts=tuple(step.contacts),
            channels=tuple(step.channels),
            repeat=step.repeat,
            times=step.times if step.repeat else 0,
        )
        for number, route in enumerate(routes)
        if severity in route.severity
        for place, step in enumerate(route.steps)
    ]


def deliveries(steps: Iterable[Planned]) -> list[Delivery]:
    """Return each contact of the steps once; who stands in two steps has the channels of both, the first's first."""
    found: dict[str, list[str]] = {}
    for step in steps:
        for contact in step.contacts:
            channels = found.setdefault(contact, [])
            channels.extend(channel for channel in step.channels if channel not in channels)
    return [Delivery(contact, tuple(channels)) for contact, channels in found.items()]


def around(alarm: str, channels: Sequence[str], every: Sequence[str]) -> tuple[str, ...]:
    """Order the channels so that a failing one never carries the news of its own failure alone.

    Its alarm goes by the step's other channels, or, where the step has no other, by any other that is configured; the
    failing one is tried last.
    """
    own = alarm.removeprefix(CHANNEL_ALARM)
    if not alarm.startswith(CHANNEL_ALARM) or own not in channels:
        return tuple(channels)
    others = [channel for channel in channels if channel != own] or [channel for channel in every if channel != own]
    return (*others, own)
