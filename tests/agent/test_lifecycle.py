"""Taking a daemon down, and keeping its tasks up."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from agent import supervisor as supervisor_module
from agent.daemon import make_roomy
from agent.errors import AlreadyRunningError, FatalError
from agent.lifecycle import Teardown
from agent.lock import StateLock, prepare_state
from agent.supervisor import Supervisor
from tests.agent.support import LIMIT, eventually, run
from tests.support.process import Program


def test_steps_run_last_in_first_out_and_only_once() -> None:
    """What was built last is undone first; a second run finds nothing."""
    done: list[str] = []

    async def scenario() -> None:
        teardown = Teardown(timedelta(seconds=5))
        teardown.push("first", lambda: done.append("first"))
        teardown.push("second", lambda: done.append("second"))
        assert await teardown.run() == []
        assert await teardown.run() == []

    run(scenario())
    assert done == ["second", "first"]


def test_a_step_that_raises_or_hangs_is_named_and_the_rest_runs() -> None:
    """One bad step never keeps the others from running."""
    done: list[str] = []

    def broken() -> None:
        raise OSError("no")

    async def scenario() -> None:
        teardown = Teardown(timedelta(seconds=0))
        teardown.push("last", lambda: done.append("last"))
        teardown.push("broken", broken)
        teardown.push("hanging", lambda: asyncio.Event().wait())
        problems = await teardown.run()
        assert [problem.split(":")[0] for problem in problems] == ["stop hanging", "stop broken"]

    run(scenario())
    assert done == ["last"]


def test_a_failing_task_is_started_again_and_its_state_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that fails twice and then works is told as down, then up."""
    monkeypatch.setattr(supervisor_module, "_WELL_AFTER", 0.2)
    told: list[tuple[str, bool, str]] = []
    runs: list[int] = []

    async def task(stop: asyncio.Event) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise OSError("the wire is cut")
        await stop.wait()

    async def scenario() -> None:
        supervisor = Supervisor(lambda name, up, reason: told.append((name, up, reason)))
        supervisor.add("wire", task)
        await eventually(lambda: told[-1:] == [("wire", True, "")] and len(runs) == 3, "it is well again")
        supervisor.stop_event.set()
        await supervisor.wait()
        await supervisor.stop(timedelta(seconds=5))

    run(scenario())
    assert ("wire", False, "the wire is cut") in told


def test_a_task_that_ends_by_itself_is_started_again() -> None:
    """Returning is no way out before the stop event is set."""
    runs: list[int] = []

    async def task(_stop: asyncio.Event) -> None:
        runs.append(1)

    async def scenario() -> None:
        supervisor = Supervisor()
        supervisor.add("short", task)
        await eventually(lambda: len(runs) > 1, "it runs again")
        await supervisor.stop(timedelta(seconds=5))

    run(scenario())


def test_a_fatal_error_ends_everything() -> None:
    """`wait` raises what a task says cannot be cured by starting it again."""

    async def task(_stop: asyncio.Event) -> None:
        raise FatalError("the disk lies")

    async def scenario() -> None:
        supervisor = Supervisor()
        supervisor.add("disk", task)
        with pytest.raises(FatalError, match="the disk lies"):
            await supervisor.wait()
        await supervisor.stop(timedelta(seconds=5))

    run(scenario())


def test_a_task_that_does_not_stop_is_cancelled() -> None:
    """Stopping takes no longer than its limit."""
    ended: list[str] = []

    async def task(_stop: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def scenario() -> None:
        supervisor = Supervisor()
        supervisor.add("deaf", task)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await supervisor.stop(timedelta(seconds=0))

    run(scenario())
    assert ended == ["cancelled"]


def test_a_second_holder_is_refused_by_name(tmp_path: Path) -> None:
    """The lock says who holds it; once given back it can be taken."""
    first, second = StateLock(tmp_path, "monitor"), StateLock(tmp_path, "monitor")
    first.acquire()
    with pytest.raises(AlreadyRunningError, match=r"another monitor is running .*process \d+"):
        second.acquire()
    StateLock(tmp_path, "replicator").acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    """A power cut cannot keep a daemon from starting."""
    code = (
        "import sys,time; from pathlib import Path; from agent.lock import StateLock; "
        f"StateLock(Path({str(tmp_path)!r}), 'vault').acquire(); print('held', flush=True); time.sleep(600)"
    )
    import sys

    holder = Program([sys.executable, "-c", code], tmp_path / "log")
    holder.wait_for("held")
    with pytest.raises(AlreadyRunningError):
        StateLock(tmp_path, "vault").acquire()
    holder.kill()
    lock = StateLock(tmp_path, "vault")
    lock.acquire()
    lock.release()


def test_a_state_directory_that_cannot_be_made_is_fatal(tmp_path: Path) -> None:
    """A file in its place is told with the directory's name."""
    (tmp_path / "state").write_text("")
    with pytest.raises(FatalError, match="state") as caught:
        prepare_state(tmp_path / "state")
    assert caught.value.hint


def test_a_daemons_loop_has_threads_to_spare() -> None:
    """Forty look-ups that hang leave room for a question to the desk."""
    gate = threading.Event()

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        make_roomy(loop)
        hanging = [loop.run_in_executor(None, gate.wait) for _ in range(40)]
        try:
            async with asyncio.timeout(LIMIT):
                assert await asyncio.to_thread(lambda: "answered") == "answered"
        finally:
            gate.set()
            await asyncio.gather(*hanging)

    run(scenario())
