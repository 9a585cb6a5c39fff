"""What Prometheus sees of the sensors. A point without a value has no sample: a gap, never an old number."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from sensors.errors import Failure
from sensors.profile import Profile
from sensors.quantity import QUANTITIES
from sensors.reading import Quality, Reading

_LABELS = ("device", "point")


class SensorMetrics:
    """The sensors' families on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the families."""
        self._gauges = {
            name: Gauge(
                quantity.metric, f"{name.replace('_', ' ').capitalize()}, base unit.", _LABELS, registry=registry
            )
            for name, quantity in QUANTITIES.items()
        }
        self._up = Gauge("bongsu_point_up", "1 while the point has a good value.", _LABELS, registry=registry)
        self._asks = Counter("bongsu_asks", "Times that a device was asked.", ["device"], registry=registry)
        self._failed = Counter(
            "bongsu_asks_failed", "Times that a device gave no answer.", ["device", "reason"], registry=registry
        )
        self._quantities: dict[tuple[str, str], str] = {}

    def expect(self, devices: Mapping[str, Profile]) -> None:
        """Create what is known beforehand, at zero."""
        for device, profile in devices.items():
            self._asks.labels(device)
            for reason in Failure:
                self._failed.labels(device, reason.value)
            for point in profile.point:
                self._quantities[device, point.name] = point.quantity
                self._up.labels(device, point.name).set(0)

    def take(self, reading: Reading) -> None:
        """Show a reading."""
        labels = (reading.device, reading.point)
        quantity = self._quantities[labels]
        good = reading.quality is Quality.GOOD and reading.value is not None
        self._up.labels(*labels).set(int(good))
        if good and reading.value is not None:
            self._gauges[quantity].labels(*labels).set(float(reading.value) * QUANTITIES[quantity].factor)
        else:
            self._gauges[quantity].remove(*labels)

    def asked(self, device: str, failure: Failure | None) -> None:
        """Count an ask."""
        self._asks.labels(device).inc()
        if failure is not None:
            self._failed.labels(device, failure.value).inc()


def families() -> Iterable[str]:
    """The names of the families of quantities."""
    return [quantity.metric for quantity in QUANTITIES.values()]
