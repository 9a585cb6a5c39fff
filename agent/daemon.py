"""A daemon in the foreground: build, start, wait, stop. Signals only here."""

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Protocol

import structlog

from agent import logs
from agent.errors import FatalError
from agent.quick import quick_imports
from config.errors import ConfigError
from config.load import load_for
from config.model import Config

log = structlog.get_logger(__name__)

Part = Literal["monitor", "replicator", "vault"]
# Python's own number is the processors and four. Each channel and link can leave a few look-ups hanging behind it.
_THREADS = 64


class Daemon(Protocol):
    """One of the three. `start` undoes what it did when it raises; `stop` may be called twice."""

    async def start(self) -> None:
        """Take what it needs and begin its work."""
        ...

    async def wait(self) -> None:
        """Wait until it is told to stop, or raise `FatalError`."""
        ...

    async def stop(self) -> None:
        """Drain, then give everything back."""
        ...

    def request_stop(self) -> None:
        """Let `wait` return."""
        ...


def run(part: Part, path: Path) -> None:
    """Run one daemon until SIGTERM or SIGINT; a second signal ends the process at once.

    Raises:
        config.errors.ConfigError: the file cannot be used for this part.
        FatalError: it cannot do its work from here.
    """
    logs.configure(part)
    config = load_for(path, part)
    if part == "monitor":
        from sensors.check import problems

        if found := problems(config):
            raise ConfigError(found)
    asyncio.run(_serve(part, config))


def make_roomy(loop: asyncio.AbstractEventLoop) -> None:
    """Give a loop more threads than look-ups of names can hang in at one time: questions and reports need some too."""
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="shared"))


async def _serve(part: Part, config: Config) -> None:
    make_roomy(asyncio.get_running_loop())
    with quick_imports():
        daemon = build(part, config)
    signals = 0

    def on_signal() -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            log.warning("stopping at once")
            os._exit(1)
        log.info("stopping")
        daemon.request_stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await daemon.start()
    try:
        log.info("started", pid=os.getpid())
        await daemon.wait()
    except FatalError as error:
        log.critical("cannot go on", reason=str(error), hint=error.hint)
        raise
    finally:
        await daemon.stop()
    log.info("stopped")


def build(part: Part, config: Config) -> Daemon:
    """Build a daemon; nothing is opened yet."""
    if part == "monitor":
        from agent.monitor import MonitorDaemon

        return MonitorDaemon(config)
    if part == "replicator":
        from agent.replicator import ReplicatorDaemon

        return ReplicatorDaemon(config)
    from agent.vault import VaultDaemon

    return VaultDaemon(config)
