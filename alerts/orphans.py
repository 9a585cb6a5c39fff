"""Which open alarms nobody would ever clear: pure."""

from collections.abc import Iterable
from typing import Protocol

from alerts.conditions import CHANNELS, STORE
from alerts.routing import CHANNEL_ALARM
from alerts.views import AlarmView
from config.model import Config

_GONE = "no longer configured"


class _Named(Protocol):
    @property
    def id(self) -> str: ...


def orphaned(view: AlarmView, config: Config) -> str:
    """Return why nobody would clear an alarm from a start on; empty where somebody will."""
    if view.part == STORE:
        return "the state file is sound now"
    if view.part == CHANNELS:
        return _missing(config.channel, view.id.removeprefix(CHANNEL_ALARM))
    if view.part:  # it clears its own, unless it is gone as a whole
        return _GONE if view.part == "replicator" and config.replicator is None else ""
    return _own(view.id, config)


def _own(alarm: str, config: Config) -> str:
    """Return why nobody would clear an alarm of the monitor's own."""
    kind, colon, name = alarm.partition(":")
    if not colon:
        return "" if alarm == "bus" and config.bus is not None else _missing(config.alarm, alarm)
    if kind == "rule":
        return "every rule begins anew"
    if kind == "part":
        return _GONE if name == "replicator" and config.replicator is None else ""
    sections: dict[str, Iterable[_Named]] = {"lost": config.device, "link": config.link, "channel": config.channel}
    return _missing(sections[kind], name) if kind in sections else ""


def _missing(section: Iterable[_Named], name: str) -> str:
    return "" if any(each.id == name for each in section) else _GONE
