"""Silence is told: of a device, of a broker; and messages do not need the broker."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.office import Office
from tests.support.modbus import ModbusServer
from tests.support.mosquitto import Listener, Mosquitto
from tests.support.sink import Sink
from tests.support.waiting import until


@pytest.fixture(scope="module")
def broker(office: Office, sink: Sink, rack: ModbusServer) -> Iterator[Mosquitto]:
    """A monitor that runs beside a Mosquitto."""
    broker = Mosquitto(office.root / "mosquitto", office.ports["bus"])
    office.with_monitor(sink.url, embedded=False)
    office.start("monitor")
    place = {"device": "rack1", "point": "temperature"}
    until(lambda: office.metric("monitor", "bongsu_point_up", **place) == 1, "the rack is read")
    yield broker
    broker.kill()


def test_a_dead_broker_delays_nobody(office: Office, sink: Sink, rack: ModbusServer, broker: Mosquitto) -> None:
    """With the broker killed an alarm's message still arrives, the dead broker is told, and its return too."""
    broker.kill()
    sink.wait_for(event="raised", alarm="bus")
    rack.set(1, 380)
    sink.wait_for(event="raised", alarm="rack1-hot")
    broker.start()
    sink.wait_for(event="cleared", alarm="bus")
    listener = Listener(office.root, broker.port)
    until(lambda: listener.heard("bongsu/v1/sancheong/alarm/rack1-hot"), "what was missed is published anew")
    listener.close()


def test_a_lost_device_is_a_gap(office: Office, sink: Sink, rack: ModbusServer, broker: Mosquitto) -> None:
    """A server that goes away is told; its value leaves the scrape, its topic says null; its return is told too."""
    place = {"device": "rack1", "point": "temperature"}
    listener = Listener(office.root, broker.port)
    rack.close()
    until(lambda: _told(sink, "raised"), "the loss is told")
    readings = until(lambda: _lost(listener), "a lost reading is published")
    assert readings[-1]["value"] is None
    assert not any(name == "bongsu_temperature_celsius" for name, _ in office.metrics("monitor"))
    assert office.metric("monitor", "bongsu_point_up", **place) == 0
    rack.open()
    until(lambda: _told(sink, "cleared"), "the return is told")
    until(lambda: office.metric("monitor", "bongsu_temperature_celsius", **place) > 0, "a value is there again")
    listener.close()


def _told(sink: Sink, event: str) -> list[Any]:
    return [body for body in sink.bodies(event=event) if body["alarm"] in {"lost:rack1", "link:wire"}]


def _lost(listener: Listener) -> list[dict[str, Any]]:
    readings = listener.heard("bongsu/v1/sancheong/reading/rack1/temperature")
    return [reading for reading in readings if reading["quality"] == "lost"]
