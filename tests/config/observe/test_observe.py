"""Rules, dashboard and broker settings that are shipped, in the hands of the programs that read them."""

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from agent.metrics import PartMetrics
from alerts.metrics import AlertMetrics
from replicator.replicator_metrics import ReplicatorMetrics
from replicator.vault_metrics import VaultMetrics
from sensors.metrics import SensorMetrics
from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
DASHBOARD = json.loads((ROOT / "config" / "grafana" / "bongsu.json").read_text(encoding="utf-8"))
RULES = ROOT / "config" / "prometheus" / "rules.yml"
NAME = re.compile(r"\bbongsu_[a-z_]+\b")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def run(*command: str | Path) -> str:
    """Run a command that must do well, and return what it said."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=180)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def registered() -> set[str]:
    """Return every series of the product, as its own registries tell them."""
    registry = CollectorRegistry()
    AlertMetrics(registry)
    SensorMetrics(registry)
    PartMetrics(registry, "test")
    ReplicatorMetrics(registry, connected=lambda: True, writable=lambda: True)
    VaultMetrics(registry)
    return {family.name + suffix for family in registry.collect() for suffix in SUFFIXES[family.type]}


def expressions() -> list[str]:
    """Return every expression of the dashboard, with Grafana's own words replaced by what they stand for."""
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    found += [one["expr"] for one in DASHBOARD["annotations"]["list"]]
    return [expression.replace("$__rate_interval", "1m") for expression in found]


def test_prometheus_takes_the_settings() -> None:
    """Prometheus' own check finds nothing wrong, in the settings and in the rules that they name."""
    assert "rules found" in run("promtool", "check", "config", ROOT / "config" / "prometheus" / "prometheus.yml")


def test_rules_alarm_when_they_should() -> None:
    """Series as Prometheus would see them lead to the alarms that they should, and to no others."""
    assert "SUCCESS" in run("promtool", "test", "rules", HERE / "rules.test.yml")


def test_every_rule_names_series_that_exist() -> None:
    """A rule about a series that nobody registers would never fire."""
    lines = [line for line in RULES.read_text(encoding="utf-8").splitlines() if line.strip().startswith("expr:")]
    assert len(lines) == RULES.read_text(encoding="utf-8").count("expr:")
    assert set(NAME.findall("\n".join(lines))) - registered() == set()


def test_every_panel_names_series_that_exist() -> None:
    """A panel about a series that nobody registers would stay empty."""
    assert set(NAME.findall("\n".join(expressions()))) - registered() == set()


def test_panels_use_recorded_levels_that_exist() -> None:
    """What a panel reads from a recording rule is recorded."""
    recorded = set(re.findall(r"record: (\S+)", RULES.read_text(encoding="utf-8")))
    assert set(re.findall(r"bongsu:[a-z_:0-9]+", "\n".join(expressions()))) <= recorded


def test_panels_can_be_asked(tmp_path: Path) -> None:
    """Prometheus understands every question of the dashboard."""
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(expressions())]
    assert len(rules) > 10
    file = tmp_path / "rules.yml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run("promtool", "check", "rules", file)


def test_panels_stand_side_by_side() -> None:
    """No panel lies on another, each has its own number, and none draws over a gap."""
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    for panel in panels:
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """Start Mosquitto with the shipped settings; only port, folders and user are this test's."""
    port = free_port()
    passwords, acl = tmp_path / "passwd", tmp_path / "acl"
    acl.write_text((ROOT / "config" / "mosquitto" / "bongsu.acl").read_text())
    run("mosquitto_passwd", "-c", "-b", passwords, "bongsu", "one")
    run("mosquitto_passwd", "-b", passwords, "viewer", "two")
    text = (ROOT / "config" / "mosquitto" / "mosquitto.conf").read_text()
    for old, new in (
        ("listener 1883 127.0.0.1", f"listener {port} 127.0.0.1\nuser root"),
        ("/etc/mosquitto/bongsu.passwd\nacl", f"{passwords}\nacl"),
        ("acl_file /etc/mosquitto/bongsu.acl", f"acl_file {acl}"),
        ("persistence_location /var/lib/mosquitto/", f"persistence_location {tmp_path}/"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "mosquitto.conf").write_text(text)
    program = Program(["/usr/sbin/mosquitto", "-c", str(tmp_path / "mosquitto.conf")], tmp_path / "log")
    until(lambda: speak(port, "bongsu", "one", "bongsu/v1/s/part/monitor", "up") == 0, "Mosquitto answers")
    assert program.running
    yield port
    program.kill()


def speak(port: int, user: str, password: str, topic: str, text: str) -> int:
    """Publish a retained message; an empty user is nobody."""
    who = ["-u", user, "-P", password] if user else []
    command = ["mosquitto_pub", "-p", str(port), *who, "-q", "1", "-r", "-t", topic, "-m", text]
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode


def hear(port: int, user: str, password: str, topic: str) -> str:
    """Return the retained message of a topic."""
    command = ["mosquitto_sub", "-p", str(port), "-u", user, "-P", password, "-t", topic, "-C", "1", "-W", "100"]
    return run(*command).strip()


def test_broker_lets_only_its_users_in(broker: int) -> None:
    """Mosquitto runs on the shipped settings; nobody without a password speaks, and a viewer only listens."""
    assert speak(broker, "", "", "bongsu/v1/s/part/monitor", "forged") != 0
    assert speak(broker, "bongsu", "wrong", "bongsu/v1/s/part/monitor", "forged") != 0
    speak(broker, "viewer", "two", "bongsu/v1/s/part/monitor", "forged")
    assert hear(broker, "viewer", "two", "bongsu/v1/s/part/monitor") == "up"
