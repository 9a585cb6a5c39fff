"""Which sender is live for which source, and what each site said last."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from replicator.messages import Fault
from replicator.receiver import Heard, Receiver


class Senders:
    """The live senders: at most one for each source; a new one takes over."""

    def __init__(self) -> None:
        self._live: dict[str, Receiver] = {}
        self._ended: dict[Receiver, asyncio.Event] = {}
        self._tasks: dict[Receiver, asyncio.Task[Any]] = {}
        self._heard: dict[str, Heard] = {}

    def all(self) -> list[Receiver]:
        """Every live sender."""
        return list(self._tasks)

    @contextlib.asynccontextmanager
    async def take_over(self, receiver: Receiver) -> AsyncIterator[None]:
        """Be the live sender of one's sources; whoever was it before is told and ended first."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can take a source over")
        ended = self._ended[receiver] = asyncio.Event()
        self._tasks[receiver] = task
        before = [old for old in self._tasks if old is not receiver and old.sources & receiver.sources]
        self._live.update(dict.fromkeys(receiver.sources, receiver))
        try:
            # All are told and cancelled before the first is waited for: this one may be taken over itself meanwhile.
            waiting = [self._end(old) for old in before]
            for each in waiting:
                await each.wait()
            yield
        finally:
            ended.set()
            del self._ended[receiver], self._tasks[receiver]
            for source in receiver.sources:
                self._heard[source] = receiver.heard
                if self._live.get(source) is receiver:
                    del self._live[source]

    def _end(self, old: Receiver) -> asyncio.Event:
        """Tell and cancel; nothing of the old sender may come once the event is set."""
        if not old.stream.closing:
            old.stream.post(Fault(code="replaced", text="a new connection sends this source"))
        self._tasks[old].cancel()
        return self._ended[old]

    def status(self, positions: dict[str, int], sites: dict[str, str], *, since: float) -> dict[str, dict[str, Any]]:
        """For each source: its site, position, whether it is connected, and what was last heard.

        `silent_seconds` counts from the vault's start for a source that has not been heard since.
        """
        return {
            source: self._source(source, position, sites.get(source, ""), since)
            for source, position in sorted(positions.items())
        }

    def _source(self, source: str, position: int, site: str, since: float) -> dict[str, Any]:
        live = self._live.get(source)
        heard = live.heard if live else self._heard.get(source)
        return {
            "site": site,
            "position": position,
            "connected": live is not None,
            "heard_at_ns": heard.at_ns if heard else 0,
            "silent_seconds": round(time.monotonic() - (heard.at if heard else since), 3),
            "pending": heard.beat.pending if heard else 0,
            "pending_bytes": heard.beat.pending_bytes if heard else 0,
            "oldest_ns": heard.beat.oldest_ns if heard else 0,
        }
