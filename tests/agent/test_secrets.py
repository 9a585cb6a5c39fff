"""Secrets that cannot be read: the daemon works without what needs them, and tells it."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent import site
from tests.support.ports import free_port
from tests.support.process import BONGSU, Program
from tests.support.waiting import until

HOOK = '[[channel]]\nid = "hook"\nkind = "webhook"\nurl = "http://127.0.0.1:9/"\ntoken_file = "no-such-token"\n'
BUS = """
[bus]
url = "mqtt://127.0.0.1:{port}"
embedded = {embedded}
username = "monitor"
password_file = "no-such-password"
"""


@pytest.fixture
def path() -> Iterator[Path]:
    """A folder of the test's own."""
    with site.folder() as folder:
        yield folder


def _check(file: Path) -> "subprocess.CompletedProcess[str]":
    command = [BONGSU, "check", "--config", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def _part(file: Path, name: str) -> bool | None:
    import json

    command = [BONGSU, "status", "--json", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    parts = [part for part in json.loads(done.stdout)["parts"] if part["part"] == name]
    return parts[0]["up"] if parts else None


def test_a_channel_without_its_secret_is_told_by_the_others(path: Path) -> None:
    """The monitor starts and tells it before the first alarm; `check` refuses the file."""
    file = site.write(path, site.SITE, site.MONITOR, site.PEOPLE, HOOK)
    checked = _check(file)
    assert checked.returncode == 2
    assert "no-such-token" in checked.stderr
    monitor = Program([BONGSU, "run", "monitor", "--config", str(file)], path / "monitor.log")
    monitor.wait_for('"started"')
    until(lambda: site.told(path, alarm="channel:hook", event="raised"), "the other channel tells it")
    assert "config" in site.told(path, alarm="channel:hook", event="raised")[0]["text"]
    assert "no-such-token" in monitor.text()
    assert monitor.terminate() == 0, monitor.text()


@pytest.mark.parametrize("embedded", ["true", "false"])
def test_a_bus_without_its_password_stops_nobody(path: Path, embedded: str) -> None:
    """The bus is a view: the monitor works without it, shows it as down, and stops cleanly; `check` refuses."""
    bus = BUS.format(port=free_port(), embedded=embedded)
    file = site.write(path, site.SITE, bus, site.MONITOR, site.PEOPLE)
    checked = _check(file)
    assert checked.returncode == 2
    assert "no-such-password" in checked.stderr
    monitor = Program([BONGSU, "run", "monitor", "--config", str(file)], path / "monitor.log")
    monitor.wait_for('"started"')
    until(lambda: _part(file, "bus") is False, "the bus is shown as down")
    assert "no-such-password" in monitor.text()
    assert monitor.terminate() == 0, monitor.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_before_the_start_is_a_clean_end(path: Path, number: signal.Signals) -> None:
    """A signal while the configuration is still being read ends the daemon with 0 and without a word."""
    file = path / "room.toml"
    os.mkfifo(file)
    program = Program([BONGSU, "run", "monitor", "--config", str(file)], path / "monitor.log")
    opened: list[int] = []
    opening = threading.Thread(target=lambda: opened.append(os.open(file, os.O_WRONLY)), daemon=True)
    opening.start()
    until(lambda: opened, "it reads its configuration, which never ends")
    program.send(number)
    assert program.wait() == 0
    assert program.text() == ""
    opening.join()
    os.close(opened[0])
