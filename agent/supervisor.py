"""Keeps a daemon's tasks running: starts a failing one again, ends the process when one is fatal."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog

from agent.errors import FatalError, reason_of

log = structlog.get_logger(__name__)

Run = Callable[[asyncio.Event], Awaitable[object]]
#: Told when a task fails and when it is well again: name, up, reason.
Changed = Callable[[str, bool, str], None]

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
# A task that ran this long was well: its next failure starts with the short pause again.
_WELL_AFTER = 10.0


class Supervisor:
    """Runs named tasks until told to stop.

    A task is a coroutine function that takes the stop event and returns soon after it is set. If it returns before that
    or raises, it is started again after a pause that doubles up to half a minute. `FatalError` ends everything: `wait`
    raises it.
    """

    def __init__(self, on_change: Changed | None = None) -> None:
        self.stop_event = asyncio.Event()
        self._on_change = on_change
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stages: dict[int, asyncio.Event] = {}
        self._stage_of: dict[str, int] = {}
        self._fatal: asyncio.Future[FatalError] = asyncio.get_running_loop().create_future()

    def add(self, name: str, run: Run, stage: int = 0) -> None:
        """Start a task under a name that is not taken; what others need has a lower stage and is stopped later."""
        if name in self._tasks:
            raise ValueError(f"start task {name}: the name is taken")
        stop = self._stages.setdefault(stage, asyncio.Event())
        self._stage_of[name] = stage
        self._tasks[name] = asyncio.create_task(self._keep(name, run, stop), name=name)

    def fail(self, error: FatalError) -> None:
        """End the process for this reason; the first reason counts."""
        if not self._fatal.done():
            self._fatal.set_result(error)

    async def wait(self) -> None:
        """Wait until the stop event is set.

        Raises:
            FatalError: a task cannot go on.
        """
        stopped = asyncio.create_task(self.stop_event.wait())
        try:
            waited: set[asyncio.Future[Any]] = {stopped, self._fatal}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if self._fatal.done():
            raise self._fatal.result()

    async def stop(self, limit: timedelta) -> None:
        """Stop the stages from the highest to the lowest, each up to the limit; then what is left is cancelled."""
        self.stop_event.set()
        for stage in sorted(self._stages, reverse=True):
            await self._stop_stage(stage, limit)

    async def _stop_stage(self, stage: int, limit: timedelta) -> None:
        self._stages[stage].set()
        tasks = {task for name, task in self._tasks.items() if self._stage_of[name] == stage}
        _, late = await asyncio.wait(tasks, timeout=limit.total_seconds())
        for task in late:
            log.warning("task does not stop", task=task.get_name(), limit=limit.total_seconds())
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, name: str, run: Run, stop: asyncio.Event) -> None:
        pause, told = _FIRST_PAUSE, ""
        while not stop.is_set():
            begun = time.monotonic()
            reason = await self._run_once(name, run, stop, told)
            if reason is None:
                return
            if time.monotonic() - begun > _WELL_AFTER:
                pause = _FIRST_PAUSE
            told = reason
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _run_once(self, name: str, run: Run, stop: asyncio.Event, told: str) -> str | None:
        """Run a task until it ends; return why it must be started again, or None when it must not."""
        well = asyncio.get_running_loop().call_later(_WELL_AFTER if told else 0, self._tell, name, True, "")
        try:
            await run(stop)
        except FatalError as error:
            self._tell(name, False, reason_of(error))
            self.fail(error)
            return None
        except Exception as error:
            reason = reason_of(error)
            if reason != told:  # the same failure is logged once until it changes
                log.exception("task failed, starting it again", task=name, reason=reason)
        else:
            if stop.is_set():
                return None
            reason = "ended by itself"
        finally:
            well.cancel()
        self._tell(name, False, reason)
        return reason

    def _tell(self, name: str, up: bool, reason: str) -> None:
        if self._on_change is not None:
            self._on_change(name, up, reason)
