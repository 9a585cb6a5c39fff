"""The dispatcher, with a real state file, real files and a real HTTP server."""

from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from alerts import dispatcher as dispatcher_module
from alerts.desk import Desk
from alerts.errors import DeliveryError, Reason
from alerts.metrics import AlertMetrics
from alerts.views import Progress
from config.model import Severity
from tests.alerts.support import (
    START,
    dispatching,
    eventually,
    hot,
    lines,
    receiving,
    refusing,
    run,
    site,
    webhook_settings,
)


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
        config = site(tmp_path, channel=[webhook_settings("one", address), two])
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
        config = site(tmp_path, channel=[webhook_settings("one", slow.url, "60s"), two])
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
        channels = [webhook_settings("slow", slow.url, "60s"), {"id": "two", "kind": "file", "path": str(path)}]
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
        config = site(tmp_path, channel=[webhook_settings("one", receiver.url), webhook_settings("two", receiver.url)])
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


def test_a_permanent_error_of_every_channel_gives_up_with_the_reason(tmp_path: Path) -> None:
    """What every channel rejects for good is failed, told in its reason and its tries, and tried no more."""
    with receiving() as receiver:
        receiver.status = 400
        config = site(tmp_path, channel=[webhook_settings("one", receiver.url), webhook_settings("two", receiver.url)])
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


@pytest.mark.parametrize("status", [302, 401, 404])
def test_an_alarm_waits_until_the_receiver_is_put_right(tmp_path: Path, status: int) -> None:
    """One that answers for a moment that it does not know us, or the path, gets the alarm when it does again."""
    with receiving() as receiver:
        receiver.status = status
        config = site(tmp_path, channel=[webhook_settings("one", receiver.url), webhook_settings("two", receiver.url)])
        desk = Desk.open(tmp_path / "monitor.sqlite", config)

        async def scenario() -> None:
            async with dispatching(desk, config):
                desk.apply(hot())
                await eventually(lambda: len(desk.attempts()) >= 2, "a round in vain")
                receiver.status = 200
                await eventually(lambda: receiver.got, "the alarm")

        run(scenario)
        desk.close()


def test_a_test_message_is_tried_once_by_each_channel(tmp_path: Path) -> None:
    """A test goes by every channel to every contact, once, and its tries say what came of it."""
    with receiving() as receiver:
        receiver.status = 503
        path = tmp_path / "two.jsonl"
        channels = [webhook_settings("one", receiver.url), {"id": "two", "kind": "file", "path": str(path)}]
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
