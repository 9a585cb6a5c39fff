"""A stranger's parts: Modbus TCP, HTTP and MQTT programs that are not ours see what the contract says."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.office import Office
from tests.support.modbus import ModbusServer
from tests.support.mosquitto import Listener, Mosquitto, answers
from tests.support.sink import Sink
from tests.support.waiting import until

_READING = "bongsu/v1/sancheong/reading/rack1/temperature"
_ALARM = "bongsu/v1/sancheong/alarm/rack1-hot"


@pytest.fixture(scope="module", params=["mosquitto", "embedded"])
def broker(request: pytest.FixtureRequest) -> str:
    """Which broker carries the view."""
    return str(request.param)


@pytest.fixture(scope="module")
def room(broker: str) -> Iterator["Room"]:
    """A running monitor with strangers around it."""
    room = Room(broker)
    yield room
    room.close()


class Room:
    """A monitor whose device, message receiver and (with Mosquitto) broker are not ours; the listener never is."""

    def __init__(self, broker: str) -> None:
        """Start everything."""
        self.office = Office()
        self.sink = Sink()
        self.rack = ModbusServer(self.office.ports["modbus"], registers={1: 251, 2: 480})
        self.office.with_monitor(self.sink.url, embedded=broker == "embedded")
        self.broker = None
        if broker == "mosquitto":
            self.broker = Mosquitto(self.office.root / "mosquitto", self.office.ports["bus"])
        self.office.start("monitor")
        until(lambda: answers(self.office.ports["bus"]), "the broker answers")
        self.listener = Listener(self.office.root, self.office.ports["bus"])

    def newest(self, topic: str) -> dict[str, Any]:
        """Return the newest payload of a topic; an error while there is none."""
        return self.listener.heard(topic)[-1]

    def close(self) -> None:
        """End everything."""
        self.listener.close()
        self.office.close()
        self.rack.close()
        self.sink.close()
        if self.broker:
            self.broker.kill()


def _is_utc_or_zoned(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


def test_a_reading_is_published(room: Room) -> None:
    """A register of a stranger's server is a retained reading with value, unit, quality and time."""
    reading = until(lambda: room.newest(_READING), "a reading is heard")
    assert (reading["v"], reading["device"], reading["point"]) == (1, "rack1", "temperature")
    assert reading["quality"] == "good"
    assert reading["unit"] in {"°C", "celsius", "C"}
    assert _is_utc_or_zoned(reading["at"])


def test_a_change_becomes_a_message(room: Room) -> None:
    """Hotter than the limit: the webhook gets the contract's JSON and the topics tell it; then it is cleared."""
    room.rack.set(1, 356)
    raised = room.sink.wait_for(event="raised", alarm="rack1-hot")
    assert raised.keys() >= {
        "v", "id", "event", "alarm", "state", "severity", "site", "text", "contact", "at", "attempt",
    }  # fmt: skip
    assert (raised["v"], raised["severity"], raised["site"], raised["contact"]) == (1, "critical", "sancheong", "kim")
    assert "산청군전산실" in raised["text"]
    assert "35.6" in raised["text"]
    assert _is_utc_or_zoned(raised["at"])
    until(lambda: room.newest(_ALARM)["state"] == "unacknowledged", "the alarm's topic says that it is unacknowledged")
    until(lambda: any("/event/" in topic for topic in room.listener.topics()), "an event is published")
    repeated = room.sink.wait_for(event="repeated", alarm="rack1-hot")
    assert repeated["id"] != raised["id"]
    assert "rack1-hot" in json.dumps(json.loads(room.office.bongsu("alarms", "--json").stdout))
    room.office.bongsu("ack", "rack1-hot", "--by", "kim", "--note", "보러 갑니다")
    room.sink.wait_for(event="acknowledged", alarm="rack1-hot")
    room.rack.set(1, 251)
    room.sink.wait_for(event="cleared", alarm="rack1-hot")


def test_the_alarm_is_a_metric(room: Room) -> None:
    """The scrape has the temperature in degrees, the point's presence and the family of alarms."""
    place = {"device": "rack1", "point": "temperature"}
    until(lambda: room.office.metric("monitor", "bongsu_temperature_celsius", **place) > 20, "a temperature")
    assert room.office.metric("monitor", "bongsu_point_up", **place) == 1
    assert any(name == "bongsu_notices_total" for name, _ in room.office.metrics("monitor"))


def test_status_speaks_json(room: Room) -> None:
    """`status --json` is JSON that names the device; its exit code says whether something is wrong."""
    status = room.office.bongsu("status", "--json", code=None)
    assert status.returncode in {0, 3}, status.stderr
    assert "rack1" in json.dumps(json.loads(status.stdout))


def test_parts_are_published(room: Room) -> None:
    """Each part has a retained topic, the monitor among them."""
    prefix = "bongsu/v1/sancheong/part/"
    until(lambda: any(topic.startswith(prefix) for topic in room.listener.topics()), "a part is published")
