"""The contract of a channel, over every kind there is."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from alerts.channel import Channel, payload
from alerts.channels import build
from config.channels import File
from config.model import Config
from tests.alerts.channels import webhook
from tests.alerts.support import a_message, lines, receiving, run, site

Sent = Callable[[], list[dict[str, Any]]]


KEYS = ["v", "id", "event", "alarm", "state", "severity", "site", "text", "contact", "at", "attempt"]


@pytest.fixture(params=["webhook", "file"])
def healthy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Channel, Sent]]:
    """A channel that works, and what it has delivered."""
    with ExitStack() as stack:
        if request.param == "file":
            path = tmp_path / "out.jsonl"
            yield build(File(kind="file", id="c", path=path)), lambda: lines(path)
        else:
            receiver = stack.enter_context(receiving())
            yield webhook(receiver), lambda: receiver.got


def test_a_message_arrives_as_the_contract_says(healthy: tuple[Channel, Sent]) -> None:
    """Exactly the promised keys in their order, with the text as it was given."""
    channel, sent = healthy

    async def scenario() -> None:
        receipt = await channel.send(a_message())
        assert receipt.text
        await channel.close()

    run(scenario)
    assert sent() == [payload(a_message())]
    assert list(sent()[0]) == KEYS
    assert sent()[0]["v"] == 1


def test_many_at_once_and_doubles_all_arrive(healthy: tuple[Channel, Sent]) -> None:
    """Fifty messages at once, one of them twice, arrive whole, each with its id."""
    channel, sent = healthy

    async def scenario() -> None:
        await asyncio.gather(*(channel.send(a_message(id=f"e.{n % 49}", text="가" * 500)) for n in range(50)))
        await channel.close()

    run(scenario)
    assert sorted(each["id"] for each in sent()) == sorted(f"e.{n % 49}" for n in range(50))


def test_check_delivers_nothing(healthy: tuple[Channel, Sent]) -> None:
    """A check of a working channel says so and sends no message."""
    channel, sent = healthy

    async def scenario() -> None:
        await channel.check()
        await channel.close()

    run(scenario)
    assert sent() == []


def test_close_may_be_called_twice_and_a_closed_channel_used_again(healthy: tuple[Channel, Sent]) -> None:
    """Closing twice is harmless; the next send opens what it needs."""
    channel, sent = healthy

    async def scenario() -> None:
        await channel.close()
        await channel.send(a_message())
        await channel.close()
        await channel.close()
        await channel.send(a_message(id="e2.kim"))
        await channel.close()

    run(scenario)
    assert len(sent()) == 2


def test_every_configured_kind_can_be_built(tmp_path: Path) -> None:
    """What the configuration accepts as a channel, `build` makes, with its id and kind."""
    config: Config = site(tmp_path)
    for settings in config.channel:
        channel = build(settings)
        assert (channel.id, channel.kind) == (settings.id, settings.kind)
