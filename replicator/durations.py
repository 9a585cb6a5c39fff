"""A histogram of seconds that is counted in the event loop, for each path of a first copy too."""

from bisect import bisect_left
from math import inf

from prometheus_client.core import HistogramMetricFamily

#: Upper bounds in seconds.
BOUNDS = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, inf)


class Durations:
    """One thread counts, any thread asks. prometheus_client's own takes a lock twice and a walk for each."""

    def __init__(self) -> None:
        self._counts = [0] * len(BOUNDS)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Something took so long."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def family(self, name: str, text: str) -> HistogramMetricFamily:
        """As Prometheus is told."""
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip(BOUNDS, tuple(self._counts), strict=True):
            total += count
            buckets.append(("+Inf" if bound == inf else str(float(bound)), total))
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=self._sum)
