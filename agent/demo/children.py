"""The daemons of the demonstration as processes of their own."""

import asyncio
import contextlib
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from agent.demo.errors import ChildError

#: How long a daemon may take to drain and stop before it is killed.
STOP_LIMIT = timedelta(seconds=25)
_TAIL_LINES = 15


class Child:
    """One `bongsu` process whose output goes to a log of the demonstration."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        """Keep a process that was just started; see `start`."""
        self.name = name
        self._process = process
        self._log = log
        self._stopping = False

    @classmethod
    async def start(cls, name: str, arguments: list[str], folder: Path) -> "Child":
        """Start `bongsu ARGUMENTS`; it says everything to NAME.log of this folder."""
        log = folder / f"{name}.log"
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "agent.demo.child", str(os.getpid()), *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                process_group=0,  # a Ctrl-C of the terminal is ours to hand on, in order
            )
        return cls(name, process, log)

    async def watch(self) -> None:
        """Wait for ever while it runs.

        Raises:
            ChildError: it ended by itself; the text holds the end of its log.
        """
        code = await self._process.wait()
        if not self._stopping:
            raise ChildError(self.name, code, self.tail())

    async def stop(self) -> bool:
        """Ask it to drain and stop; return whether it did with exit code 0. Safe to call again."""
        self._stopping = True
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_LIMIT.total_seconds()):
                return await self._process.wait() == 0
        except TimeoutError:
            self.kill()
            await self._process.wait()
            return False

    def kill(self) -> None:
        """End it at once."""
        self._stopping = True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    def tail(self) -> str:
        """Return the end of what it said."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])


async def command(*arguments: str) -> tuple[int, str]:
    """Run `bongsu ARGUMENTS` to its end; return its exit code and all that it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "agent.demo.child", str(os.getpid()), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        process_group=0,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return await process.wait(), said.decode(errors="replace")
