"""Watches the channels themselves: one that fails again and again is an alarm, which goes out by the others."""

from datetime import datetime

from alerts.conditions import CHANNELS, channel_condition
from alerts.desk import Desk
from alerts.errors import Reason
from alerts.routing import CHANNEL_ALARM
from config.model import Site

FAILURES = 3  # in a row: one lost answer is not yet a broken channel


class Supervision:
    """Counts each channel's failures in a row. The next success ends its alarm."""

    def __init__(self, desk: Desk, site: Site) -> None:
        self._desk = desk
        self._site = site
        self._failures: dict[str, int] = {}
        prefix = len(CHANNEL_ALARM)
        self._alarmed = {view.id[prefix:] for view in desk.active_of(CHANNELS)}

    def failed(self, channel: str, reason: Reason, at: datetime) -> None:
        """Count a failure; tell it when it is one too many. Raises `StoreError` when it cannot be kept."""
        self._failures[channel] = self._failures.get(channel, 0) + 1
        if self._failures[channel] >= FAILURES and channel not in self._alarmed:
            self._desk.apply(channel_condition(channel, self._site, reason, at), part=CHANNELS)
            self._alarmed.add(channel)

    def worked(self, channel: str, at: datetime) -> None:
        """Take a success; end the alarm when there was one. Raises `StoreError` when it cannot be kept."""
        self._failures.pop(channel, None)
        if channel in self._alarmed:
            self._desk.apply(channel_condition(channel, self._site, None, at), part=CHANNELS)
            self._alarmed.discard(channel)
