"""What a daemon takes down when it stops: named steps, last in first out, under one time limit."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from agent.errors import reason_of

log = structlog.get_logger(__name__)

Step = Callable[[], Awaitable[object] | object]

# A step that comes after the limit still gets this long: releasing a lock or closing a database is quick.
_GRACE = 1.0


class Teardown:
    """Steps to undo what was built.

    `push` each step as soon as there is something to undo; `run` calls them in the opposite order.
    A step that raises or takes too long is told by name and does not keep the rest from running. `run` may be called
    twice: what was run is gone.
    """

    def __init__(self, limit: timedelta) -> None:
        self._limit = limit
        self._steps: list[tuple[str, Step]] = []

    def push(self, name: str, step: Step) -> None:
        """Add a step; the newest runs first."""
        self._steps.append((name, step))

    async def run(self) -> list[str]:
        """Run every step and return one line for each that went wrong."""
        deadline = time.monotonic() + self._limit.total_seconds()
        problems: list[str] = []
        while self._steps:
            name, step = self._steps.pop()
            problem = await _run_step(step, max(deadline - time.monotonic(), _GRACE))
            if problem:
                problems.append(f"stop {name}: {problem}")
                log.warning("stop was not clean", step=name, reason=problem)
        return problems


async def _run_step(step: Step, limit: float) -> str:
    try:
        async with asyncio.timeout(limit):
            result = step()
            if inspect.isawaitable(result):
                await result
    except TimeoutError:
        return f"not done after {limit:.1f} s"
    except Exception as error:  # noqa: BLE001 - whatever a step raises, the next one must run
        return reason_of(error)
    return ""
