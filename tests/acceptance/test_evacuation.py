"""Fire: the alarm sends the documents out and its messages say how far they are."""

import os
import re

import pytest

from tests.acceptance.office import Office
from tests.support.modbus import ModbusServer
from tests.support.sink import Sink
from tests.support.trees import same, snapshot
from tests.support.waiting import until


@pytest.fixture(scope="module")
def burning(office: Office, sink: Sink, rack: ModbusServer) -> Office:
    """A small bandwidth, many documents still here, and then a fire."""
    office.with_replicator()
    office.room["replicator"] += 'bandwidth = "20k"\n'
    office.with_monitor(sink.url)
    for part in ("vault", "replicator", "monitor"):
        office.start(part)
    for number in range(40):
        (office.docs / f"drawing{number}.bin").write_bytes(os.urandom(100_000))
    until(lambda: office.metric("replicator", "bongsu_replication_pending_files", source="docs") > 10, "files wait")
    rack.set(1, 712)
    return office


def test_the_evacuation_ignores_the_limit(burning: Office) -> None:
    """4 MB that would take 200 s at the configured bandwidth are out of the building at once."""
    burning.settle()
    until(lambda: burning.metric("replicator", "bongsu_replication_pending_files", source="docs") == 0, "nothing waits")


def test_the_messages_say_how_far_it_is(burning: Office, sink: Sink) -> None:
    """A later message of the alarm carries the copy's state, and in the end that nothing is left here."""
    until(
        lambda: [body for body in sink.bodies(alarm="rack1-hot") if re.search(r"미전송 0건", body["text"])],
        "a message says that nothing is left",
    )


def test_the_documents_come_back(burning: Office) -> None:
    """What was evacuated is restorable from the vault's host alone."""
    burning.settle()
    assert same(snapshot(burning.docs), burning.restore("rescued", file="vault"))
