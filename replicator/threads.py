"""Work that blocks, done beside the event loop and waited for to its end."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

from replicator.errors import BrokenError

_Result = TypeVar("_Result")


async def in_thread(work: Callable[[], _Result]) -> _Result:
    """Run work in a thread. When cancelled it waits for the thread, so that nothing is used after it was closed.

    Raises:
        BrokenError: as of the work, also when cancelled: what was not put on disk must not be taken for being there.
    """
    return await to_the_end(asyncio.get_running_loop().run_in_executor(None, work))


async def to_the_end(future: "asyncio.Future[_Result]") -> _Result:
    """Wait for what must not stop halfway; whoever is cancelled meanwhile waits too.

    Raises:
        BrokenError: as of the future, also when cancelled.
    """
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        if not future.cancelled() and isinstance(error := future.exception(), BrokenError):
            raise error from None
        raise
