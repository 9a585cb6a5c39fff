"""Configurations and running daemons for this folder's tests."""

import shutil
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from agent.base import Base
from agent.commands.state import gather
from agent.monitor import MonitorDaemon
from config.load import load
from config.model import Config

SITE = '[site]\nid = "t"\nname = "시험전산실"\nstate = "state"\n'
MONITOR = '[monitor]\nmetrics = "127.0.0.1:0"\nconsole = "127.0.0.1:0"\n'
PEOPLE = """
[[contact]]
id = "kim"
name = "김주무관"
[[channel]]
id = "book"
kind = "file"
path = "messages.jsonl"
[[route]]
severity = ["notice", "caution", "alert", "critical"]
steps = [{ after = "0s", contacts = ["kim"], channels = ["book"], repeat = "1s", times = 50 }]
"""
DEVICES = """
[[link]]
id = "wire"
url = "tcp://127.0.0.1:{port}"
timeout = "2s"
[[device]]
id = "rack1"
link = "wire"
profile = "xy-md02"
every = "100ms"
[[alarm]]
id = "hot"
point = "rack1.temperature"
above = 32.0
deadband = 1.0
severity = "critical"
text = "랙1 온도"
evacuate = true
"""
REPLICATOR = """
[replicator]
vault = "bongsu://127.0.0.1:{port}"
metrics = "127.0.0.1:0"
[[source]]
id = "docs"
path = "docs"
"""
VAULT = """
[vault]
listen = "127.0.0.1:{port}"
root = "safe"
metrics = "127.0.0.1:0"
"""


@contextmanager
def folder() -> Iterator[Path]:
    """A short path of our own: control sockets have room for 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="bg-", dir="/tmp"))
    (path / "docs").mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def write(path: Path, *sections: str) -> Path:
    """Write a configuration file and return its path."""
    file = path / "room.toml"
    file.write_text("\n".join(sections))
    return file


def config(path: Path, *sections: str) -> Config:
    """Write a configuration and read it."""
    return load(write(path, *sections))


@asynccontextmanager
async def running(daemon: Base) -> AsyncGenerator[Base, None]:
    """A daemon of this process, until the end of the block."""
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()


@asynccontextmanager
async def monitor(settings: Config) -> AsyncGenerator[MonitorDaemon, None]:
    """A monitor of this process."""
    daemon = MonitorDaemon(settings)
    async with running(daemon):
        yield daemon


async def state(settings: Config) -> dict[str, Any]:
    """What `bongsu status --json` shows."""
    return await gather(settings)


def messages(path: Path) -> list[dict[str, Any]]:
    """Every message of the file channel so far."""
    import json

    file = path / "messages.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


def told(path: Path, **wanted: str) -> list[dict[str, Any]]:
    """The messages whose fields are these."""
    return [each for each in messages(path) if all(each[name] == value for name, value in wanted.items())]
