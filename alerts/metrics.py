"""The numbers of this package, as Prometheus reads them."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerts.desk import Desk
from alerts.errors import Reason
from alerts.event import Event
from config.model import Config, Severity

# Seconds from raised to accepted: a local channel takes milliseconds, a gateway seconds, a cut line minutes.
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class AlertMetrics:
    """Alarms and notices. Every series of a configured alarm or channel is there from the start, at zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._active = Gauge(
            "bongsu_alarm_active", "Whether an alarm's condition holds.", ["alarm", "severity"], registry=registry
        )
        self._seconds = Histogram(
            "bongsu_notice_seconds", "From raised to accepted by a channel.", registry=registry, buckets=_BUCKETS
        )
        self._accepted = Counter(
            "bongsu_notices", "Notifications that a channel accepted.", ["channel"], registry=registry
        )
        self._failed = Counter(
            "bongsu_notices_failed", "Tries that a channel did not accept.", ["channel", "reason"], registry=registry
        )
        self._severity: dict[str, Severity] = {}

    def prepare(self, config: Config, desk: Desk) -> None:
        """Make every series that the configuration names, show the alarms as they stand, and follow the desk."""
        for channel in config.channel:
            self._accepted.labels(channel.id)
            for reason in Reason:
                self._failed.labels(channel.id, reason)
        for alarm in config.alarm:
            self._show(alarm.id, alarm.severity, active=False)
        desk.subscribe(lambda event: self._follow(desk, event))
        for view in desk.alarms():
            self._show(view.id, view.severity, active=view.active)

    def accepted(self, channel: str, seconds: float | None) -> None:
        """Count an accepted notification; of a raised one, also how long it took."""
        self._accepted.labels(channel).inc()
        if seconds is not None:
            self._seconds.observe(max(0.0, seconds))

    def failed(self, channel: str, reason: Reason) -> None:
        """Count a try that failed."""
        self._failed.labels(channel, reason).inc()

    def _follow(self, desk: Desk, event: Event) -> None:
        if event.alarm:
            view = desk.alarm(event.alarm)
            self._show(view.id, view.severity, active=view.active)

    def _show(self, alarm: str, severity: Severity, *, active: bool) -> None:
        before = self._severity.get(alarm)
        if before is not None and before is not severity:
            self._active.remove(alarm, before)
        self._severity[alarm] = severity
        self._active.labels(alarm, severity).set(1 if active else 0)
