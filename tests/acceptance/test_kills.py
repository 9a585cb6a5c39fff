"""kill -9 of every daemon at random moments loses nothing that was told as safe, and no alarm."""

import json
import random
import time
from pathlib import Path
from typing import NamedTuple

from tests.acceptance.office import Office
from tests.support.modbus import ModbusServer
from tests.support.sink import Sink
from tests.support.trees import same, snapshot
from tests.support.waiting import until

_ROUNDS = 10
_HOT, _COLD = 390, 250


class Edition(NamedTuple):
    """One whole content of one file."""

    name: str
    text: str


def _edition(name: str, number: int) -> Edition:
    return Edition(name, f"{name} edition {number}\n" * random.randrange(1, 2000) + "end\n")


def _write(docs: Path, number: int) -> set[Edition]:
    """Save six files anew, by rename, so that each content is whole at every moment."""
    editions = {_edition(f"minutes-{count}.txt", number) for count in range(6)}
    for edition in editions:
        fresh = docs / f".{edition.name}.new"
        fresh.write_text(edition.text)
        fresh.rename(docs / edition.name)
    return editions


def _seen(current: Path, written: set[Edition]) -> set[Edition]:
    """Read what the vault shows now: each file must be one whole edition that was written."""
    found = set()
    for path in current.glob("minutes-*.txt"):
        edition = Edition(path.name, path.read_text())
        assert edition in written, f"{path} is no edition that was ever written: {len(edition.text)} characters"
        found.add(edition)
    return found


def _restart(office: Office, parts: list[str]) -> None:
    for part in parts:
        office.start(part, wait=False)
    for part in parts:
        office.wait_ready(part)


def test_ten_rounds(office: Office, sink: Sink, rack: ModbusServer) -> None:
    """What was durable stays in the history, every file is whole, each alarm is told once as raised and as cleared."""
    office.with_replicator()
    office.with_monitor(sink.url)
    parts = ["vault", "replicator", "monitor"]
    _restart(office, parts)
    written: set[Edition] = set()
    safe: set[Edition] = set()
    for number in range(1, _ROUNDS + 1):
        written |= _write(office.docs, number)
        rack.set(1, _HOT)
        time.sleep(random.uniform(0, 0.6))
        safe |= _seen(office.current, written)
        victims = random.sample(parts, random.choice([1, 1, 2, 3]))
        for part in victims:
            office.kill(part)
        written |= _write(office.docs, number + 1000)
        _restart(office, victims)
        _wait_told(sink, "raised", number)
        rack.set(1, _COLD)
        _wait_told(sink, "cleared", number)
    office.settle()
    safe |= _seen(office.current, written)
    assert same(snapshot(office.docs), office.restore("back"))
    office.bongsu("verify", file="vault")
    _demand_versions(office, safe)
    assert len(_ids(sink, "raised")) == len(_ids(sink, "cleared")) == _ROUNDS


def _ids(sink: Sink, event: str) -> set[str]:
    return {body["id"] for body in sink.bodies(event=event, alarm="rack1-hot")}


def _wait_told(sink: Sink, event: str, times: int) -> None:
    until(lambda: len(_ids(sink, event)) >= times, f"{event} number {times} is told")


def _demand_versions(office: Office, safe: set[Edition]) -> None:
    """Each edition that was once seen at the vault is in the history of its file."""
    for name in {edition.name for edition in safe}:
        versions = json.loads(office.bongsu("history", name, "--json", file="vault").stdout)
        sizes = {version["size"] for version in (versions["versions"] if isinstance(versions, dict) else versions)}
        wanted = {len(edition.text) for edition in safe if edition.name == name}
        assert wanted <= sizes, f"{name}: {wanted - sizes} are not in its history"
