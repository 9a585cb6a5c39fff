"""The dispatcher, with a real state file, real files and a real HTTP server."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from alerts import dispatcher as dispatcher_module
from alerts.channel import Message, Receipt
from alerts.channels import build
from alerts.channels.file import FileChannel
from alerts.desk import Desk
from alerts.errors import DeliveryError, Reason, StoreError
from alerts.event import State
from alerts.metrics import AlertMetrics
from alerts.views import Progress
from config.channels import File
from config.model import Severity
from tests.alerts.support import START, dispatching, eventually, hot, lines, receiving, refusing, run, site


def _webhook(name: str, url: str, timeout: str = "30s") -> dict[str, str]:
    return {"id": name, "kind": "webhook", "url": url, "timeout": timeout}


def test_a_condition_becomes_a_line_in_the_file(tmp_path: Path) -> None:
    """A raised alarm reaches the first channel of its contact, with its text, and the try is recorded."""
    config = site(tmp_path)
    desk = Desk.open(tmp_path / "monitor.sqlite", config)

    async def scenario() -> None:
        async with dispatching(desk, config) as dispatcher:
            event = desk.apply(hot())
            assert event is not None
            await eventually(lambda: lines(tmp_path / "one.jsonl"), "the message")
            assert await dispatcher.drain(timedelta(seconds=30)) == 0
            told = lines(tmp_path / "one.jsonl")[0]
            assert told["id"] == f"{event.id}.kim"
            assert told["text"] == "[산청군전산실] 심각 발생: 랙1 온도 35.2°C (32.0°C 초과) 14:03:05"
            assert told["at"] == "2026-11-22T14:03:05+09:00"
            assert [(each.accepted, each.channel) for each in desk.attempts()] == [(True, "one")]
            assert desk.notifications()[0].progress is Progress.ACCEPTED

    run(scenario)
    desk.close()
    assert not (tmp_path / "two.jsonl").exists()


def test_the_next_channel_is_tried_when_the_first_refuses(tmp_path: Path) -> None:
    """Nobody listens at the first channel: the second carries the same id, and both tries are recorded."""
    two = {"id": "two", "kind": "file", "path": str(tmp_path / "two.jsonl")}
    with refusing() as address:
        config = site(tmp_path, channel=[_webhook("one", address), two])
        desk = Desk.open(tmp_path / "monitor.sqlite", config)
        registry = CollectorRegistry()
        metrics = AlertMetrics(registry)
        metrics.prepare(config, desk)

        async def scenario() -> None:
            async with dispatching(desk, config, metrics=metrics) as dispatcher:
                desk.apply(hot())
                await eventually(lambda: lines(tmp_path / "two.jsonl"), "the message")
                await dispatcher.drain(timedelta(seconds=30))

        run(scenario)
    tries = [(each.channel, each.number, each.reason) for each in desk.attempts()]
    assert sorted(tries) == [("one", 1, "refused"), ("two", 2, "")]
    assert lines(tmp_path / "two.jsonl")[0]["attempt"] == 2
    failed = {"channel": "one", "reason": "refused"}
    assert registry.get_sample_value("bongsu_notices_failed_total", failed) == 1
    desk.close()


def test_an_accepted_notice_is_counted_and_timed(tmp_path: Path) -> None:
    """The channel's counter and the histogram from raised to accepted each know of one notice."""
    config = site(tmp_path)
    desk = Desk.open(tmp_path / "monitor.sqlite", config)
    registry = CollectorRegistry()
    metrics = AlertMetrics(registry)
    metrics.prepare(config, desk)

    async def scenario() -> None:
        async with dispatching(desk, config, metrics=metrics):
            desk.apply(hot())
            await eventually(lambda: registry.get_sample_value("bongsu_notice_seconds_count"), "the histogram")

    run(scenario)
    assert registry.get_sample_value("bongsu_notices_total", {"channel": "one"}) == 1
    desk.close()


def test_a_channel_that_hangs_is_left_for_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another channel could be tried, a hanging one is not waited for until its own time-out."""
    monkeypatch.setattr(dispatcher_module, "HURRY", timedelta(seconds=0.3))
    with receiving() as slow:
        slow.gate.clear()
        two = {"id": "two", "kind": "file", "path": str(tmp_path / "two.jsonl")}
        config = site(tmp_path, channel=[_webhook("one", slow.url, "60s"), two])
        desk = Desk.open(tmp_path / "monitor.sqlite", config)

        async def scenario() -> None:
            async with dispatching(desk, config):
                desk.apply(hot())
                await eventually(lambda: lines(tmp_path / "two.jsonl"), "the message")

        run(scenario)
        assert [each.reason for each in desk.attempts() if not each.accepted] == ["timeout"]
        desk.close()


def test_a_channel_that_hangs_delays_no_other(tmp_path: Path) -> None:
    """While every place of one channel hangs, an alarm by the other channel still goes out."""
    with receiving() as slow:
        slow.gate.clear()
        routes = [
            {"severity": ["critical"], "steps": [{"contacts": ["kim"], "channels": ["slow"]}]},
            {"severity": ["alert"], "steps": [{"contacts": ["lee"], "channels": ["two"]}]},
        ]
        path = tmp_path / "two.jsonl"
        channels = [_webhook("slow", slow.url, "60s"), {"id": "two", "kind": "file", "path": str(path)}]
        config = site(tmp_path, channel=channels, route=routes)
        desk = Desk.open(tmp_path / "monitor.sqlite", config)

        async def scenario() -> None:
            async with dispatching(desk, config):
                for number in range(20):
                    desk.apply(hot(alarm=f"hot:{number}"))
                await eventually(lambda: len(slow.requests) >= 8, "all places to hang")
                desk.apply(hot(alarm="leak:1", severity=Severity.ALERT))
                await eventually(lambda: lines(path), "the other channel's message")
                assert slow.got == []
                assert len(slow.requests) == 8
                slow.gate.set()
                await eventually(lambda: len(slow.got) == 20, "all of the slow channel")

        run(scenario)
        desk.close()


def test_order_holds_for_one_contact_and_alarm(tmp_path: Path) -> None:
    """Raised and cleared arrive in this order although the first try of the first one fails."""
    with receiving() as receiver:
        receiver.status = 503
        config = site(tmp_path, channel=[_webhook("one", receiver.url), _webhook("two", receiver.url)])
        desk = Desk.open(tmp_path / "monitor.sqlite", config)

        async def scenario() -> None:
            async with dispatching(desk, config):
                desk.apply(hot())
                await eventually(lambda: len(desk.attempts()) >= 2, "a round in vain")
                desk.apply(hot(active=False, value="26.0°C"))
                receiver.status = 200
                await eventually(lambda: len(receiver.got) == 2, "both")
                assert [each["event"] for each in receiver.got] == ["raised", "cleared"]

        run(scenario)
        desk.close()


def test_a_failing_channel_is_an_alarm_that_goes_by_the_others(tmp_path: Path) -> None:
    """After three failures in a row the channel's own alarm arrives by the other channel; a success clears it."""
    with receiving() as receiver:
        receiver.status = 500
        path = tmp_path / "two.jsonl"
        config = site(
            tmp_path, channel=[_webhook("one", receiver.url), {"id": "two", "kind": "file", "path": str(path)}]
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
        config = site(tmp_path, channel=[_webhook("one", receiver.url), _webhook("two", receiver.url)])
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


def test_a_permanent_error_of_every_channel_gives_up_with_the_reason(tmp_path: Path) -> None:
    """What every channel rejects for good is failed, told in its reason and its tries, and tried no more."""
    with receiving() as receiver:
        receiver.status = 400
        config = site(tmp_path, channel=[_webhook("one", receiver.url), _webhook("two", receiver.url)])
        desk = Desk.open(tmp_path / "monitor.sqlite", config)

        async def scenario() -> None:
            async with dispatching(desk, config) as dispatcher:
                desk.apply(hot())
                await eventually(lambda: desk.notifications()[0].finished_at, "the end")
                assert await dispatcher.drain(timedelta(seconds=30)) == 0

        run(scenario)
        view = desk.notifications()[0]
        assert (view.progress, view.reason, view.attempts) == (Progress.FAILED, "given up: rejected", 2)
        assert len(receiver.requests) == 2
        desk.close()


def test_a_test_message_is_tried_once_by_each_channel(tmp_path: Path) -> None:
    """A test goes by every channel to every contact, once, and its tries say what came of it."""
    with receiving() as receiver:
        receiver.status = 503
        path = tmp_path / "two.jsonl"
        channels = [_webhook("one", receiver.url), {"id": "two", "kind": "file", "path": str(path)}]
        config = site(tmp_path, channel=channels)
        desk = Desk.open(tmp_path / "monitor.sqlite", config)

        async def scenario() -> None:
            async with dispatching(desk, config):
                names = desk.test(None, None, START)
                assert len(names) == 4
                await eventually(lambda: all(desk.attempts(name) for name in names), "an attempt of each")

        run(scenario)
        assert sorted(each.accepted for each in desk.attempts()) == [False, False, True, True]
        assert {each["text"] for each in lines(path)} == {"[산청군전산실] 시험: 통보 시험입니다 14:03:05"}
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
        config = site(tmp_path, channel=[_webhook("one", receiver.url, "60s"), _webhook("two", receiver.url, "60s")])
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


def test_reason_is_a_closed_set_and_its_series_exist_at_zero(tmp_path: Path) -> None:
    """Every reason of every configured channel is a series from the start."""
    config = site(tmp_path)
    desk = Desk.open(tmp_path / "monitor.sqlite", config)
    registry = CollectorRegistry()
    AlertMetrics(registry).prepare(config, desk)
    for reason in Reason:
        assert registry.get_sample_value("bongsu_notices_failed_total", {"channel": "two", "reason": reason}) == 0
    quiet = {"alarm": "rack1-hot", "severity": "critical"}
    assert registry.get_sample_value("bongsu_alarm_active", quiet) == 0
    desk.apply(hot())
    assert registry.get_sample_value("bongsu_alarm_active", quiet) == 1
    desk.apply(hot(active=False))
    assert registry.get_sample_value("bongsu_alarm_active", quiet) == 0
    assert issubclass(DeliveryError, Exception)
    desk.close()
