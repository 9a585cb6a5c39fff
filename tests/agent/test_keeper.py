"""Conditions reach the desk in order, however long it cannot take them."""

import asyncio
from datetime import UTC, datetime

from agent.keeper import Keeper
from alerts.condition import Condition
from config.model import Severity
from tests.agent.support import eventually, run

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def _condition(alarm: str, active: bool) -> Condition:
    return Condition(alarm=alarm, active=active, severity=Severity.ALERT, text="", at=NOW)


class Desk:
    """Stores what it is given unless it is told to fail."""

    def __init__(self) -> None:
        """Take everything."""
        self.failing: set[str] = set()
        self.stored: list[tuple[str, bool]] = []

    def apply(self, condition: Condition) -> None:
        """Store one."""
        if condition.alarm in self.failing:
            raise OSError("no space left")
        self.stored.append((condition.alarm, condition.active))


def test_raised_and_cleared_are_kept_in_order_while_the_disk_is_full() -> None:
    """A short alarm is not lost because the desk could not take it at that moment; others are not held up."""
    desk, states = Desk(), list[bool]()
    desk.failing = {"short"}

    async def scenario() -> None:
        stop = asyncio.Event()
        keeper = Keeper(desk.apply, lambda up, _reason: states.append(up))
        task = asyncio.create_task(keeper.run(stop))
        keeper.offer(_condition("short", True))
        keeper.offer(_condition("short", True))
        keeper.offer(_condition("short", False))
        keeper.offer(_condition("other", True))
        await eventually(lambda: desk.stored == [("other", True)] and states == [False], "the other is stored")
        assert keeper.waiting == 2
        desk.failing = set()
        await eventually(lambda: states == [False, True], "it is well again")
        stop.set()
        await task

    run(scenario())
    assert desk.stored == [("other", True), ("short", True), ("short", False)]


def test_what_is_offered_before_the_stop_is_stored() -> None:
    """A stop loses nothing that can be stored."""
    desk = Desk()

    async def scenario() -> None:
        stop = asyncio.Event()
        keeper = Keeper(desk.apply, lambda _up, _reason: None)
        task = asyncio.create_task(keeper.run(stop))
        stop.set()
        keeper.offer(_condition("last", True))
        await task

    run(scenario())
    assert desk.stored == [("last", True)]


def test_memory_is_bounded_and_the_newest_state_is_kept() -> None:
    """A flapping alarm during a long outage keeps its beginning and its end."""
    desk = Desk()

    async def scenario() -> None:
        keeper = Keeper(desk.apply, lambda _up, _reason: None)
        for number in range(1000):
            keeper.offer(_condition("flaps", number % 2 == 0))
        assert keeper.waiting <= 32
        stop = asyncio.Event()
        stop.set()
        await keeper.run(stop)

    run(scenario())
    assert desk.stored[0] == ("flaps", True)
    assert desk.stored[-1] == ("flaps", False)
    assert all(one != two for one, two in zip(desk.stored, desk.stored[1:], strict=False))
