"""Work in a thread with an event loop of its own, so that nothing it does to its loop can touch ours."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_PATIENCE = 5.0  # seconds


class Apart(Generic[T]):
    """One coroutine in a thread and a loop of its own, both gone when `run` returns or raises its error.

    Args:
        work: makes the coroutine, in its own loop; it is given the event that `poke` sets.
    """

    def __init__(self, work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._poked: asyncio.Event | None = None
        self._task: asyncio.Task[T] | None = None
        self._cancelled = False

    async def run(self) -> T:
        """Run it to its end; its error is raised here.

        A cancel cancels it and waits for it, but not long: a look-up of a name that hangs ends when it likes.
        """
        home = asyncio.get_running_loop()
        done: asyncio.Future[T] = home.create_future()
        thread = threading.Thread(target=self._thread, args=(home, done), name="apart", daemon=True)
        thread.start()
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            self._cancel()
            await asyncio.wait({done}, timeout=_PATIENCE)
            if done.done() and not done.cancelled():
                done.exception()
            raise
        finally:
            if done.done():
                thread.join()  # it has said its last word: this takes no time

    def poke(self) -> None:
        """Set its event, from any thread."""
        with self._guard:
            if self._loop is not None and self._poked is not None:
                self._loop.call_soon_threadsafe(self._poked.set)

    def _cancel(self) -> None:
        with self._guard:
            self._cancelled = True
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def _thread(self, home: asyncio.AbstractEventLoop, done: "asyncio.Future[T]") -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            with asyncio.Runner() as runner:
                result = runner.run(self._main())
        except BaseException as caught:  # noqa: BLE001 - it is raised where `run` is awaited
            error = caught
        with suppress(RuntimeError):  # nobody waits any more: that loop is closed
            home.call_soon_threadsafe(_finish, done, result, error)
        del error  # it knows this frame

    async def _main(self) -> T:
        poked = asyncio.Event()
        task = asyncio.create_task(self._work(poked))
        with self._guard:
            self._loop, self._poked, self._task = asyncio.get_running_loop(), poked, task
            if self._cancelled:
                task.cancel()
        try:
            return await task
        finally:
            with self._guard:
                self._loop = self._poked = self._task = None


def _finish(done: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    elif isinstance(error, asyncio.CancelledError):
        done.cancel()
    else:
        done.set_exception(error)
