"""Work in a thread and a loop of its own."""

import asyncio
import threading

import pytest

from agent import apart
from agent.apart import Apart
from tests.agent.support import LIMIT, eventually, run


def _threads() -> int:
    return sum(thread.name == "apart" for thread in threading.enumerate())


def test_a_result_and_an_error_come_back_and_the_thread_is_gone() -> None:
    """What the work returns or raises is returned or raised where it is awaited."""

    async def work(_poked: asyncio.Event) -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    async def broken(_poked: asyncio.Event) -> int:
        raise LookupError("nothing there")

    async def scenario() -> None:
        assert await Apart(work).run() != threading.get_ident()
        with pytest.raises(LookupError, match="nothing there"):
            await Apart(broken).run()
        assert _threads() == 0

    run(scenario())


def test_a_poke_from_any_thread_is_felt_and_a_late_one_hurts_nobody() -> None:
    """A poke sets the work's event, whoever pokes; before and after its life it does nothing."""
    begun = threading.Event()

    async def work(poked: asyncio.Event) -> str:
        begun.set()
        await poked.wait()
        return "poked"

    async def scenario() -> None:
        session = Apart(work)
        session.poke()
        task = asyncio.create_task(session.run())
        await eventually(begun.is_set, "it has begun")

        def poke() -> None:
            for _ in range(1000):
                session.poke()

        poking = threading.Thread(target=poke)
        poking.start()
        async with asyncio.timeout(LIMIT):
            assert await task == "poked"
        poking.join()
        session.poke()

    run(scenario())


def test_a_cancel_reaches_the_work() -> None:
    """The work is cancelled, cleans up, and only then is the caller's cancel done; early or late."""
    cleaned: list[int] = []
    begun = threading.Event()

    async def work(_poked: asyncio.Event) -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(1)

    async def scenario() -> None:
        for turns in range(50):
            task = asyncio.create_task(Apart(work).run())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()
            assert _threads() == 0
        begun.clear()
        before = len(cleaned)
        task = asyncio.create_task(Apart(work).run())
        await eventually(begun.is_set, "it runs")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert _threads() == 0
        assert len(cleaned) == before + 1

    run(scenario())


def test_a_look_up_that_hangs_does_not_hold_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be cancelled is left behind in its thread, and ends there by itself."""
    monkeypatch.setattr(apart, "_PATIENCE", 0.05)
    gate, hanging = threading.Event(), threading.Event()

    def look_up() -> None:
        hanging.set()
        gate.wait()

    async def work(_poked: asyncio.Event) -> None:
        await asyncio.get_running_loop().run_in_executor(None, look_up)

    async def scenario() -> None:
        task = asyncio.create_task(Apart(work).run())
        await eventually(hanging.is_set, "it hangs")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        gate.set()
        await eventually(lambda: _threads() == 0, "it ends by itself")

    run(scenario())
