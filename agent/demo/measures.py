"""What the daemons say of themselves in their metrics, as the demonstration reads it."""

from collections.abc import Iterable

import httpx
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, dict[str, str], float]


class Measures:
    """Reads the metrics of the daemons of one place."""

    def __init__(self, ports: dict[str, int]) -> None:
        """`ports` has the metrics port of each part by its name."""
        self._ports = ports
        self._client = httpx.AsyncClient(timeout=5, trust_env=False)

    async def samples(self, part: str) -> list[Sample]:
        """Return every sample of a part; none while it does not answer."""
        try:
            answer = await self._client.get(f"http://127.0.0.1:{self._ports[part]}/metrics")
        except httpx.HTTPError:
            return []
        families = text_string_to_metric_families(answer.text)
        return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]

    async def value(self, part: str, name: str, **labels: str) -> float | None:
        """Return one sample, or None while it is not there."""
        wanted = labels.items()
        samples = await self.samples(part)
        return next((value for found, has, value in samples if found == name and wanted <= has.items()), None)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def buckets(samples: Iterable[Sample], name: str) -> dict[float, float]:
    """Return a histogram as upper bound in seconds to how many were not above it, over all labels."""
    found: dict[float, float] = {}
    for sample, labels, value in samples:
        if sample == f"{name}_bucket":
            bound = float(labels["le"])
            found[bound] = found.get(bound, 0.0) + value
    return dict(sorted(found.items()))


def quantile(histogram: dict[float, float], share: float) -> float | None:
    """Estimate a quantile as Prometheus does: linear within its bucket. None without any observation."""
    whole = max(histogram.values(), default=0.0)
    if not whole:
        return None
    low, below = 0.0, 0.0
    for bound, count in histogram.items():
        if count >= share * whole:
            inside = (share * whole - below) / (count - below)
            return low if bound == float("inf") else low + (bound - low) * inside
        low, below = bound, count
    return low
