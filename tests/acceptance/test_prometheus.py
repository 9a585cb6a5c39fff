"""Prometheus with the shipped settings and rules, and the shipped dashboard's questions, against running daemons."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.office import Office
from tests.support.modbus import ModbusServer
from tests.support.prometheus import Prometheus
from tests.support.sink import Sink
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "config" / "grafana" / "bongsu.json").read_text(encoding="utf-8"))
TARGETS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
ANNOTATIONS = [one["expr"] for one in DASHBOARD["annotations"]["list"]]
#: What has nothing to show in this room: no such sensor, nothing lost, nothing refused.
EMPTY = {
    "bongsu_leak",
    "bongsu_smoke",
    "bongsu_point_up == 0",
    "sum by (channel, reason) (increase(bongsu_notices_failed_total[$__rate_interval])) > 0",
}
LONG = 120.0


@pytest.fixture(scope="module")
def prometheus(office: Office, sink: Sink, rack: ModbusServer) -> Iterator[Prometheus]:
    """All three daemons, a document, and a fire; Prometheus looks on from before it."""
    office.with_replicator()
    office.with_monitor(sink.url)
    shipped = {"monitor": "127.0.0.1:9750", "replicator": "127.0.0.1:9751", "vault": "127.0.0.1:9752"}
    server = Prometheus(
        office.root / "prometheus", {there: f"127.0.0.1:{office.ports[part]}" for part, there in shipped.items()}
    )
    try:
        for part in ("vault", "replicator", "monitor"):
            office.start(part)
        until(lambda: _up(server) == len(shipped), "all three are scraped", LONG)
        (office.docs / "deed.txt").write_text("deed")
        rack.set(1, 712)
        sink.wait_for(alarm="rack1-hot", event="raised")
        yield server
    finally:
        server.close()


def _up(server: Prometheus) -> int:
    return sum(one["value"][1] == "1" for one in server.series("up"))


def _real(expression: str) -> str:
    return expression.replace("$__rate_interval", "1m")


def test_every_target_is_up(prometheus: Prometheus) -> None:
    """Prometheus reads what each daemon exposes, without a complaint."""
    targets = prometheus.ask("targets")["activeTargets"]
    assert sorted(target["labels"]["job"] for target in targets) == [
        "bongsu-monitor",
        "bongsu-replicator",
        "bongsu-vault",
    ]
    assert [target["lastError"] for target in targets] == [""] * 3


@pytest.mark.parametrize("expression", sorted(set(TARGETS) - EMPTY))
def test_every_panel_has_something_to_show(prometheus: Prometheus, expression: str) -> None:
    """The panel's question is answered with series that are numbers."""

    def numbers() -> bool:
        found = [one["value"][1] for one in prometheus.series(_real(expression))]
        return bool(found) and "NaN" not in found

    until(numbers, expression, LONG)


@pytest.mark.parametrize("expression", sorted({*EMPTY, *ANNOTATIONS}))
def test_every_other_question_is_understood(prometheus: Prometheus, expression: str) -> None:
    """What shows nothing here is still a question that Prometheus answers."""
    assert expression in {*TARGETS, *ANNOTATIONS}
    assert isinstance(until(lambda: [prometheus.series(_real(expression))], expression)[0], list)


def test_every_rule_is_evaluated(prometheus: Prometheus) -> None:
    """No rule has an error, and the fire's own is firing."""

    def evaluated() -> bool:
        return all(rule["health"] == "ok" for rule in prometheus.rules())

    until(evaluated, "all rules are evaluated", LONG)
    assert [rule["lastError"] for rule in prometheus.rules() if rule.get("lastError")] == []

    def firing() -> set[str]:
        return {rule["name"] for rule in prometheus.rules() if rule.get("state") == "firing"}

    until(lambda: "BongsuAlarmActive" in firing(), "the alarm is firing", LONG)


def test_a_lost_point_is_a_gap(prometheus: Prometheus, rack: ModbusServer) -> None:
    """A device that falls silent leaves no old number in Prometheus, and its point is down there."""
    until(lambda: prometheus.series('bongsu_temperature_celsius{device="rack1"}'), "there is a value", LONG)
    rack.close()
    try:
        until(lambda: prometheus.series('bongsu_point_up{device="rack1"} == 0'), "the point is down", LONG)
        until(lambda: not prometheus.series('bongsu_temperature_celsius{device="rack1"}'), "no number is shown", LONG)
    finally:
        rack.open()
        rack.set(1, 712)
    until(lambda: prometheus.series('bongsu_temperature_celsius{device="rack1"} > 70'), "the number is back", LONG)
