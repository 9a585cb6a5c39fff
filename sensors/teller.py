"""Stores what the rules decided, then tells it, in order and until it is taken."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from alerts.condition import Condition
from sensors.rulestore import RuleStore, Stored

log = structlog.get_logger(__name__)

_AGAIN = 1.0


class Teller:
    """Carries states and conditions out of the loop: SQLite and the alarm desk block, so a thread calls them.

    A condition that is not taken is kept and told again each second; the later ones of the same alarm wait for it,
    those of other alarms do not. A disk that refuses states does not keep a condition from being told.
    """

    def __init__(self, store: RuleStore, on_condition: Callable[[Condition], None]) -> None:
        """Build it; `on_condition` is called in a worker thread, one call at a time."""
        self._store, self._on_condition = store, on_condition
        self._states: dict[str, Stored] = {}
        self._conditions: list[Condition] = []
        self._values: dict[str, Condition] = {}
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        # Its own thread: look-ups of names that nobody answers can fill the shared ones, above all in a fire.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="teller")
        self.trouble = ""

    def store(self, state: Stored) -> None:
        """Store this soon."""
        self._states[state.alarm] = state
        self._news.set()

    def tell(self, condition: Condition) -> None:
        """Tell this soon, after what was stored before it."""
        self._values.pop(condition.alarm, None)
        self._conditions.append(condition)
        self._news.set()

    def renew(self, condition: Condition) -> None:
        """Tell a condition that still holds, with its newest value; one that is not taken is not told again."""
        self._values[condition.alarm] = condition
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if not await asyncio.shield(self.flush()):
                await asyncio.sleep(_AGAIN)
                self._news.set()

    async def flush(self) -> bool:
        """Store and tell all that is there. Returns False when something was not taken."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            states, self._states = self._states, {}
            conditions, self._conditions = self._conditions, []
            values, self._values = self._values, {}
            trouble = await loop.run_in_executor(self._thread, self._save, states)
            self._states = {**(states if trouble else {}), **self._states}
            kept, refused = await loop.run_in_executor(self._thread, self._tell_all, conditions)
            self._conditions = [*kept, *self._conditions]
            waiting = {condition.alarm for condition in self._conditions}
            newest = [value for value in values.values() if value.alarm not in waiting]
            _, stale = await loop.run_in_executor(self._thread, self._tell_all, newest)
            refused = refused or stale
            self._report(trouble or refused)
            return not (trouble or refused)

    def close(self) -> None:
        """Let the thread end; nothing can be told after it."""
        self._thread.shutdown(wait=False)

    def _save(self, states: dict[str, Stored]) -> str:
        try:
            if states:
                self._store.save(states.values())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and tried again
            return f"store rule states: {error}"
        return ""

    def _tell_all(self, conditions: list[Condition]) -> tuple[list[Condition], str]:
        kept: list[Condition] = []
        trouble = ""
        for condition in conditions:
            if any(earlier.alarm == condition.alarm for earlier in kept):
                kept.append(condition)
                continue
            try:
                self._on_condition(condition)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told and tried again
                kept.append(condition)
                trouble = f"tell {condition.alarm}: {type(error).__name__}: {error}"
        return kept, trouble

    def _report(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.error("conditions_waiting", reason=trouble, waiting=len(self._conditions))
        elif self.trouble and not trouble:
            log.info("conditions_taken_again")
        self.trouble = trouble
