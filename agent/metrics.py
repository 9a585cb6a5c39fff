"""The metrics that belong to no single package: which parts are up, and what runs."""

from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest

#: Content type of the exposition: Prometheus text format 0.0.4.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def product_version() -> str:
    """Return the installed version, or `0` from a checkout that was never installed."""
    try:
        return version("bongsu")
    except PackageNotFoundError:
        return "0"


class PartMetrics:
    """`bongsu_part_up{part}`, 1 or 0, beside the build's and the process's own numbers."""

    def __init__(self, registry: CollectorRegistry, daemon: str) -> None:
        self._up = Gauge("bongsu_part_up", "Whether a part works (1) or not (0)", ["part"], registry=registry)
        build = Gauge("bongsu_build_info", "The version that runs", ["version", "daemon"], registry=registry)
        build.labels(version=product_version(), daemon=daemon).set(1)
        ProcessCollector(registry=registry)

    def set(self, part: str, up: bool) -> None:
        """Record whether a part works."""
        self._up.labels(part=part).set(1 if up else 0)

    def forget(self, part: str) -> None:
        """Remove the series of a part that is no more."""
        self._up.remove_by_labels({"part": part})


def exposition(registry: CollectorRegistry) -> bytes:
    """Render every family of a registry as Prometheus text."""
    return generate_latest(registry)
