"""Brings every condition to the desk, however long the desk cannot take it."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from agent.errors import reason_of
from alerts.condition import Condition

log = structlog.get_logger(__name__)

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
# Changes of one alarm that wait at most. Beyond that its middle is left out: how it began and how it is now stay.
_DEPTH = 32

#: Stores a condition; called in a thread.
Apply = Callable[[Condition], object]


class Keeper:
    """A queue for each alarm between those who find conditions and the desk that stores them.

    `offer` returns at once and never raises, so a full disk does not stop polling. What could not be stored is tried
    again until it is; an alarm whose condition is refused does not hold the others up. Told as down while it waits.
    """

    def __init__(self, apply: Apply, on_change: Callable[[bool, str], None]) -> None:
        self._apply = apply
        self._on_change = on_change
        self._waiting: dict[str, deque[Condition]] = {}
        self._wake = asyncio.Event()
        self._reason: str | None = None
        # Its own thread: what hangs in the shared ones must not hold an alarm.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keeper")

    def offer(self, condition: Condition) -> None:
        """Take a condition; from the event loop's thread only."""
        queue = self._waiting.setdefault(condition.alarm, deque())
        newest = queue[-1] if queue else None
        if newest is not None and (newest.active, newest.severity) == (condition.active, condition.severity):
            return  # told again without change
        if len(queue) >= _DEPTH:
            del queue[1]
            del queue[1]
        queue.append(condition)
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Conditions that are not stored yet."""
        return sum(len(queue) for queue in self._waiting.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Store what is offered until the event is set, and once more after that."""
        pause = _FIRST_PAUSE
        while True:
            last = stop.is_set()
            self._wake.clear()
            reason = await self._store_all()
            self._tell(reason)
            if last:
                break
            if reason is None:
                pause = _FIRST_PAUSE
                await _either(stop, self._wake, None)
            else:
                await _either(stop, None, pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        if self._waiting:
            log.critical("conditions were not stored", alarms=sorted(self._waiting), reason=self._reason)

    async def _store_all(self) -> str | None:
        reason = None
        for alarm in list(self._waiting):
            try:
                await self._store(alarm)
            except Exception as error:  # noqa: BLE001 - one bad alarm never stops the rest; it is told and tried again
                reason = reason_of(error)
        return reason

    async def _store(self, alarm: str) -> None:
        queue = self._waiting[alarm]
        while queue:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._apply, queue[0])
            queue.popleft()
        self._waiting.pop(alarm, None)

    def _tell(self, reason: str | None) -> None:
        if reason == self._reason:
            return
        if reason is None:
            log.info("conditions are stored again")
        else:
            log.error("conditions wait to be stored", reason=reason, waiting=self.waiting)
        self._reason = reason
        self._on_change(reason is None, reason or "")


async def _either(stop: asyncio.Event, wake: asyncio.Event | None, seconds: float | None) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in (stop, wake) if event is not None]
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
