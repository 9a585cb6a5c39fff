"""Repeats and escalations through the running dispatcher: by a clock that the test moves, and by the real one."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from alerts.desk import Desk
from tests.alerts.support import FakeClock, dispatching, eventually, hot, lines, run, site


def _kinds(path: Path) -> list[tuple[str, str]]:
    return [(each["event"], each["contact"]) for each in lines(path)]


def test_the_dispatcher_follows_the_clock_it_is_given(tmp_path: Path) -> None:
    """Raised at 0, repeated when a minute has passed, told to the next contact after five, quiet when acknowledged."""
    clock, config, path = FakeClock(), site(tmp_path), tmp_path / "one.jsonl"
    desk = Desk.open(tmp_path / "monitor.sqlite", config, clock=clock)

    async def scenario() -> None:
        async with dispatching(desk, config) as dispatcher:

            async def after(expected: list[tuple[str, str]], **time: float) -> None:
                clock.pass_(**time)
                dispatcher.wake()
                await eventually(lambda: sorted(_kinds(path)[-len(expected) :]) == expected, f"{expected}")
                # A lease ends by the same clock: what is sent must be recorded before that goes on.
                assert await dispatcher.drain(timedelta(seconds=30)) == 0

            desk.apply(hot())
            await after([("raised", "kim")])
            await after([("raised", "kim"), ("repeated", "kim")], minutes=1)
            await after([("escalated", "kim"), ("escalated", "lee")], minutes=4)
            desk.acknowledge("rack1-hot", "lee", "", clock())
            await eventually(lambda: len(_kinds(path)) == 6, "two that are told of it")
            assert await dispatcher.drain(timedelta(seconds=30)) == 0
            clock.pass_(hours=1)
            dispatcher.wake()
            await dispatcher.drain(timedelta(seconds=30))
            assert sorted(_kinds(path)[4:]) == [("acknowledged", "kim"), ("acknowledged", "lee")]
            assert desk.outbox.next_due(clock()) is None

    run(scenario)
    desk.close()


def test_repeats_come_by_themselves(tmp_path: Path) -> None:
    """Without anything that wakes it, the dispatcher repeats as often as the route says, and then no more."""
    steps: list[dict[str, Any]] = [{"contacts": ["kim"], "channels": ["one"], "repeat": "100ms", "times": 4}]
    config, path = site(tmp_path, route=[{"severity": ["critical"], "steps": steps}]), tmp_path / "one.jsonl"
    desk = Desk.open(tmp_path / "monitor.sqlite", config)

    async def scenario() -> None:
        async with dispatching(desk, config):
            desk.apply(hot())
            await eventually(lambda: len(desk.events()) == 5, "four repeats")
            await eventually(lambda: _kinds(path)[-1:] == [("repeated", "kim")], "the last one")

    run(scenario)
    assert [str(event.kind) for event in desk.events()] == ["raised", *["repeated"] * 4]
    desk.close()
