"""Faults of channels, of the state file and of the process: the dispatcher goes on."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.channel import Message, Receipt
from alerts.channels import build
from alerts.channels.file import FileChannel
from alerts.desk import Desk
from alerts.errors import StoreError
from alerts.event import State
from config.channels import File
from tests.alerts.support import (
    dispatching,
    eventually,
    hot,
    lines,
    receiving,
    run,
    site,
    webhook_settings,
)


def test_a_failing_channel_is_an_alarm_that_goes_by_the_others(tmp_path: Path) -> None:
    """After three failures in a row the channel's own alarm arrives by the other channel; a success clears it."""
    with receiving() as receiver:
        receiver.status = 500
        path = tmp_path / "two.jsonl"
        config = site(
            tmp_path, channel=[webhook_settings("one", receiver.url), {"id": "two", "kind": "file", "path": str(path)}]
        )
        desk = Desk.open(tmp_path / "monitor.sqlite", config)

        def told() -> list[tuple[str, str]]:
            return [(each["alarm"], each["event"]) for each in lines(path)]

        async def scenario() -> None:
            async with dispatching(desk, config):
                for number in range(3):
                    desk.apply(hot(alarm=f"hot:{number}"))
                await eventually(lambda: ("channel:one", "raised") in told(), "the channel's alarm")
                assert desk.alarm("channel:one").state is State.UNACKNOWLEDGED
                await eventually(lambda: _ways(desk, "channel:one"), "the record of it")
                assert _ways(desk, "channel:one") == ["two"]
                receiver.status = 200
                desk.apply(hot(alarm="hot:3"))
                await eventually(lambda: ("channel:one", "cleared") in told(), "the end of it")
                assert not desk.alarm("channel:one").active

        run(scenario)
        desk.close()


def test_channels_that_all_fail_make_no_loop(tmp_path: Path) -> None:
    """Two broken channels are two alarms, however often the news of each fails by the other."""
    with receiving() as receiver:
        receiver.status = 500
        config = site(tmp_path, channel=[webhook_settings("one", receiver.url), webhook_settings("two", receiver.url)])
        desk = Desk.open(tmp_path / "monitor.sqlite", config)

        async def scenario() -> None:
            async with dispatching(desk, config):
                for number in range(3):
                    desk.apply(hot(alarm=f"hot:{number}"))
                await eventually(lambda: len(desk.attempts()) >= 16, "many failures")

        run(scenario)
        told = sorted(event.alarm for event in desk.events() if event.alarm.startswith("channel:"))
        assert told == ["channel:one", "channel:two"]
        desk.close()


def _ways(desk: Desk, alarm: str) -> list[str]:
    """Return the channels by which the first call of an alarm was tried."""
    raised = next(each.id for each in desk.notifications() if each.alarm == alarm and each.kind == "raised")
    return [each.channel for each in desk.attempts(raised)]


def test_a_channel_that_breaks_its_contract_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of our own in one channel is a failed try with the reason `internal`; the next channel carries it."""

    async def broken(_self: FileChannel, _message: Message) -> Receipt:
        raise ZeroDivisionError("never seen before")

    config = site(tmp_path)
    desk = Desk.open(tmp_path / "monitor.sqlite", config)
    channels: dict[str, Any] = {each.id: build(each) for each in config.channel}
    monkeypatch.setattr(channels["one"], "send", broken.__get__(channels["one"]))

    async def scenario() -> None:
        async with dispatching(desk, config, channels=channels):
            desk.apply(hot())
            await eventually(lambda: lines(tmp_path / "two.jsonl"), "the message")

    run(scenario)
    assert [each.reason for each in desk.attempts() if not each.accepted] == ["internal"]
    desk.close()


def test_a_channel_that_is_configured_no_more_is_passed_over(tmp_path: Path) -> None:
    """A notification queued for a channel that a restart no longer has goes by the next one."""
    config = site(tmp_path)
    desk = Desk.open(tmp_path / "monitor.sqlite", config)
    desk.apply(hot())
    channels: dict[str, Any] = {"two": FileChannel(File(kind="file", id="two", path=tmp_path / "two.jsonl"))}

    async def scenario() -> None:
        async with dispatching(desk, config, channels=channels):
            await eventually(lambda: lines(tmp_path / "two.jsonl"), "the message")

    run(scenario)
    assert [each.reason for each in desk.attempts() if not each.accepted] == ["config"]
    desk.close()


def test_a_full_state_disk_never_ends_the_loop(tmp_path: Path) -> None:
    """While the state file takes nothing more the loop goes on, and sends when there is room again."""
    config = site(tmp_path)
    desk = Desk.open(tmp_path / "monitor.sqlite", config)

    async def scenario() -> None:
        async with dispatching(desk, config) as dispatcher:
            await dispatcher.drain(timedelta(seconds=30))
            desk.apply(hot())
            await eventually(lambda: lines(tmp_path / "one.jsonl"), "the first message")
            with desk._store.transaction("break") as db:
                db.execute("PRAGMA max_page_count = 1")
            with pytest.raises(StoreError):
                _fill(desk)
            dispatcher.wake()
            with desk._store.transaction("mend") as db:
                db.execute("PRAGMA max_page_count = 1000000")
            desk.apply(hot(alarm="last:1"))
            dispatcher.wake()
            await eventually(
                lambda: any(each["alarm"] == "last:1" for each in lines(tmp_path / "one.jsonl")), "the last"
            )

    run(scenario)
    desk.close()


def _fill(desk: Desk) -> None:
    for number in range(500):
        desk.apply(hot(alarm=f"hot:{number}", text="긴 글" * 20))


def test_leases_of_a_dead_process_are_sent_at_once(tmp_path: Path) -> None:
    """What another process had claimed and never recorded is sent by the next run, with the same id and attempt 2."""
    config = site(tmp_path)
    desk = Desk.open(tmp_path / "monitor.sqlite", config)
    event = desk.apply(hot())
    assert event is not None
    claims = desk.outbox.claim({"one": 8, "two": 8}, desk.clock(), timedelta(hours=1))
    assert [claim.id for claim in claims] == [f"{event.id}.kim"]

    async def scenario() -> None:
        async with dispatching(desk, config):
            await eventually(lambda: lines(tmp_path / "one.jsonl"), "the message")

    run(scenario)
    told = lines(tmp_path / "one.jsonl")
    assert [(each["id"], each["attempt"]) for each in told] == [(f"{event.id}.kim", 2)]
    desk.close()


def test_a_stop_while_sending_sends_again(tmp_path: Path) -> None:
    """A stop does not wait for a channel that hangs; the next run delivers it with the same id."""
    with receiving() as receiver:
        receiver.gate.clear()
        config = site(
            tmp_path,
            channel=[webhook_settings("one", receiver.url, "60s"), webhook_settings("two", receiver.url, "60s")],
        )
        desk = Desk.open(tmp_path / "monitor.sqlite", config)

        async def first() -> None:
            async with dispatching(desk, config):
                desk.apply(hot())
                await eventually(lambda: receiver.requests, "a request that hangs")

        async def second() -> None:
            async with dispatching(desk, config):
                await eventually(lambda: any(each.accepted for each in desk.attempts()), "an accepted one")

        run(first)
        assert not any(each.accepted for each in desk.attempts())
        receiver.gate.set()
        run(second)
        assert len(set(receiver.ids())) == 1
        desk.close()
