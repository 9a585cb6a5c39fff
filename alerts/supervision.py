"""Watches the channels themselves: one that fails again and again is an alarm, which goes out by the others."""

from collections.abc import Iterable
from datetime import datetime

import structlog

from alerts.channels import unusable
from alerts.conditions import CHANNELS, channel_condition
from alerts.desk import Desk
from alerts.errors import Reason
from alerts.routing import CHANNEL_ALARM
from config.channels import Channel as Settings
from config.model import Site

_log = structlog.get_logger(__name__)
FAILURES = 3  # in a row: one lost answer is not yet a broken channel


class Supervision:
    """Counts each channel's failures in a row. The next success ends its alarm."""

    def __init__(self, desk: Desk, site: Site) -> None:
        self._desk = desk
        self._site = site
        self._failures: dict[str, int] = {}
        prefix = len(CHANNEL_ALARM)
        self._alarmed = {view.id[prefix:] for view in desk.active_of(CHANNELS)}

    def examine(self, channels: Iterable[Settings], at: datetime) -> None:
        """Tell of each channel that cannot send, before it must. Raises `StoreError` when it cannot be kept."""
        for settings in channels:
            error = unusable(settings)
            if error is not None:
                _log.error("channel cannot send", channel=settings.id, reason=str(error), hint=error.hint)
                self._tell(settings.id, Reason.CONFIG, at)

    def failed(self, channel: str, reason: Reason, at: datetime) -> None:
        """Count a failure; tell it when it is one too many. Raises `StoreError` when it cannot be kept."""
        self._failures[channel] = self._failures.get(channel, 0) + 1
        if self._failures[channel] >= FAILURES:
            self._tell(channel, reason, at)

    def worked(self, channel: str, at: datetime) -> None:
        """Take a success; end the alarm when there was one. Raises `StoreError` when it cannot be kept."""
        self._failures.pop(channel, None)
        if channel in self._alarmed:
            self._desk.apply(channel_condition(channel, self._site, None, at), part=CHANNELS)
            self._alarmed.discard(channel)

    def _tell(self, channel: str, reason: Reason, at: datetime) -> None:
        if channel not in self._alarmed:
            self._desk.apply(channel_condition(channel, self._site, reason, at), part=CHANNELS)
            self._alarmed.add(channel)
