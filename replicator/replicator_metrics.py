"""The replicator's metrics."""

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from replicator import packing
from replicator.durations import Durations
from replicator.turns import Item
from replicator.watcher import Grade

#: Why a path was not sent; each label exists from the start.
REASONS = ("unreadable", "refused", "refused-again")


class Gauges(Protocol):
    """What is measured at the moment of asking."""

    id: str

    def lag(self, now_ns: int) -> float:
        """Seconds of work that would be lost now."""

    def pending_files(self) -> int:
        """Paths still to be sent."""

    def pending_bytes(self) -> int:
        """Their bytes."""

    def blind(self) -> bool:
        """Whether changes may go unseen."""

    def starting(self) -> bool:
        """Whether unseen is only what changed before this start, until its scan has ended."""

    def first_copy(self) -> bool:
        """Whether all is being carried for the first time, and nothing is wrong but that it lasts."""

    def missed_total(self) -> int:
        """Changes that a scan found and no event told."""

    def canary_seconds(self) -> float | None:
        """How long the last canary took, or is out; None before the first."""


class SourceMetrics:
    """One source's counters."""

    def __init__(self, durable: Durations, failures: Counter) -> None:
        self._durable = durable
        self._failures = failures

    def durable(self, item: Item) -> None:
        """A change is durable; folders' times and open files' moments, which wait on purpose, do not count."""
        if item.grade is Grade.NOW and not item.tries:
            self._durable.add(max(0.0, (time.time_ns() - item.seen_ns) / 1e9))

    def failed(self, reason: str) -> None:
        """A path was not sent; `reason` is one of `REASONS`."""
        self._failures.labels(reason=reason).inc()


class LineMetrics:
    """What packing does for the line; counted in the event loop, for each file that leaves."""

    def __init__(self) -> None:
        self._saved = 0
        self._unpacked = dict.fromkeys(packing.REASONS, 0)

    def saved(self, count: int) -> None:
        """So many bytes need not travel."""
        self._saved += count

    def unpacked(self, reason: str, count: int) -> None:
        """So many left as they are; `reason` is one of `packing.REASONS`."""
        self._unpacked[reason] += count

    def families(self) -> list[Metric]:
        """As Prometheus is told."""
        saved = CounterMetricFamily(
            "bongsu_replication_saved_bytes", "Bytes that packing kept off the line", value=self._saved
        )
        unpacked = CounterMetricFamily(
            "bongsu_replication_unpacked_bytes", "Bytes of contents that left as they are, and why", labels=["reason"]
        )
        for reason, count in self._unpacked.items():
            unpacked.add_metric([reason], count)
        return [saved, unpacked]


class ReplicatorMetrics(Collector):
    """Registers itself; gauges are taken when somebody asks."""

    def __init__(
        self, registry: CollectorRegistry, *, connected: Callable[[], bool], writable: Callable[[], bool]
    ) -> None:
        self._durable = Durations()
        self._failures = Counter(
            "bongsu_replication_failed", "Paths that could not be sent", ["reason"], registry=registry
        )
        for reason in REASONS:
            self._failures.labels(reason=reason)
        self.line = LineMetrics()
        self._connected = connected
        self._writable = writable
        self._sources: list[Gauges] = []
        registry.register(self)

    def source(self) -> SourceMetrics:
        """The counters that a source uses."""
        return SourceMetrics(self._durable, self._failures)

    def watch(self, source: Gauges) -> None:
        """From now on this source's gauges are told."""
        self._sources.append(source)

    def collect(self) -> Iterable[Metric]:
        """As prometheus_client asks."""
        connected = GaugeMetricFamily("bongsu_replication_connected", "Whether the vault is connected")
        connected.add_metric([], float(self._connected()))
        writable = GaugeMetricFamily("bongsu_replication_journal_writable", "Whether the journal can be written")
        writable.add_metric([], float(self._writable()))
        lag, files, size, blind, starting, first, canary = (
            GaugeMetricFamily(f"bongsu_replication_{name}", text, labels=["source"])
            for name, text in (
                ("lag_seconds", "Age of the oldest change that is not durable, or time since blind"),
                ("pending_files", "Paths still to be sent"),
                ("pending_bytes", "Bytes still to be sent"),
                ("blind", "Whether changes may go unseen"),
                ("starting", "Whether unseen is only what changed before this start, until its scan has ended"),
                ("first_copy", "Whether all is carried for the first time, and changes meanwhile are seen"),
                ("canary_seconds", "Time of the last canary from its file to durable, or so far"),
            )
        )
        missed = CounterMetricFamily(
            "bongsu_replication_missed", "Changes that a scan found and no event told", labels=["source"]
        )
        now_ns = time.time_ns()
        for source in self._sources:
            label = [source.id]
            lag.add_metric(label, source.lag(now_ns))
            files.add_metric(label, source.pending_files())
            size.add_metric(label, source.pending_bytes())
            blind.add_metric(label, float(source.blind()))
            starting.add_metric(label, float(source.starting()))
            first.add_metric(label, float(source.first_copy()))
            missed.add_metric(label, source.missed_total())
            seconds = source.canary_seconds()
            if seconds is not None:
                canary.add_metric(label, seconds)
        durable = self._durable.family("bongsu_replication_durable_seconds", "Change seen to durable at the vault")
        gauges = (connected, writable, lag, files, size, blind, starting, first, canary, missed)
        return [durable, *self.line.families(), *gauges]
