"""Each part fails alone: the others go on, and the silence of one is an alarm."""

import json
from typing import Any

import pytest

from tests.acceptance.office import Office
from tests.support.modbus import ModbusServer
from tests.support.sink import Sink
from tests.support.waiting import until


@pytest.fixture(scope="module")
def whole(office: Office, sink: Sink, rack: ModbusServer) -> Office:
    """All three daemons, connected."""
    office.with_replicator()
    office.with_monitor(sink.url)
    for part in ("vault", "replicator", "monitor"):
        office.start(part)
    (office.docs / "first.txt").write_text("first")
    office.settle()
    return office


def test_documents_do_not_need_the_monitor(whole: Office) -> None:
    """With the monitor killed, a document that is written goes to the vault."""
    whole.kill("monitor")
    (whole.docs / "without monitor.txt").write_text("minutes")
    whole.settle()
    whole.start("monitor")


def test_a_silent_replicator_is_an_alarm(whole: Office, sink: Sink) -> None:
    """A killed replicator is told to people, and so is its return."""
    # The monitor must have heard it before it can miss it.
    until(lambda: "docs" in whole.bongsu("status", "--json", code=None).stdout, "the monitor knows the source", pause=1)
    whole.kill("replicator")
    sink.wait_for(event="raised", alarm="part:replicator")
    whole.start("replicator")
    sink.wait_for(event="cleared", alarm="part:replicator")


def test_a_silent_vault_is_an_alarm(whole: Office, sink: Sink) -> None:
    """With the vault killed people are told; what is written meanwhile is there when it has come back."""
    whole.kill("vault")
    (whole.docs / "meanwhile.txt").write_text("meanwhile")
    raised = until(lambda: _about_vault(sink, "raised"), "the vault's silence is told")
    assert raised[-1]["severity"] in {"alert", "critical"}
    whole.start("vault")
    until(lambda: _about_vault(sink, "cleared"), "its return is told")
    whole.settle()


def test_a_refused_message_goes_the_next_way(whole: Office, sink: Sink, rack: ModbusServer) -> None:
    """A receiver that answers 503: the contact's next channel has the message, and the failing one is told there."""
    sink.status = 503
    try:
        rack.set(1, 381)
        until(lambda: _written(whole, "rack1-hot"), "the file has the message")
        until(lambda: _written(whole, "channel:hook"), "the file says that the other way fails")
    finally:
        sink.status = 200
        rack.set(1, 251)
    until(lambda: sink.bodies(event="cleared", alarm="rack1-hot"), "the first way is used again")


def _about_vault(sink: Sink, event: str) -> list[dict[str, Any]]:
    return [body for body in sink.bodies(event=event) if str(body["alarm"]).startswith("vault")]


def _written(office: Office, alarm: str) -> list[dict[str, Any]]:
    lines = (office.root / "messages.jsonl").read_text("utf-8").splitlines()
    bodies = [json.loads(line) for line in lines]
    return [body for body in bodies if (body["event"], body["alarm"]) == ("raised", alarm)]
