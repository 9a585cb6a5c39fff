"""One demonstration from start to end: build, play, prove, stop."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

from agent.demo.children import Child
from agent.demo.documents import Documents
from agent.demo.errors import DemoError
from agent.demo.measures import Measures
from agent.demo.narrator import Narrator
from agent.demo.place import Place
from agent.demo.proof import judge, prove, settle
from agent.demo.report import Report
from agent.demo.sink import Arrived, Sink
from agent.demo.story import Story
from sensors.simulator import Simulated, simulate


class Asked(NamedTuple):
    """What the user asked for: an end after so many seconds, a folder, a report."""

    seconds: float | None
    folder: Path | None
    report: Path | None

    @property
    def proof(self) -> bool:
        """Whether the end is a proof; without one a Ctrl-C is simply the end."""
        return self.seconds is not None or self.report is not None


class Demo:
    """The parts of one demonstration, in the order in which they are built."""

    def __init__(self, asked: Asked, narrator: Narrator) -> None:
        """Make the place; nothing runs yet."""
        self._asked = asked
        self._narrator = narrator
        self.place = Place(asked.folder)
        self.report = Report()
        self._measures = Measures(self.place.ports)
        self._story = Story(self.place, narrator, self._measures, self.report)
        self._documents = Documents(self.place.folder)
        self._stop = asyncio.Event()
        self._children: dict[str, Child] = {}

    async def run(self) -> None:
        """Run to the end; the report says how it went. Everything is stopped, whatever happens.

        Raises:
            DemoError: a daemon ended by itself, or a step did not come.
        """
        self._introduce()
        try:
            async with self._signals(), self._built() as devices:
                await self._beside(self._acts(devices))
        finally:
            self.report.seconds = self._narrator.seconds
            self.report.messages = len(self._story.arrived)
            await self._measures.close()

    async def _acts(self, devices: Simulated) -> None:
        """Everything that a signal may cut short, then the proof, that it may not."""
        working = asyncio.create_task(self._documents.run())
        thermometer = asyncio.create_task(self._story.thermometer())
        try:
            whole = await self._until_stopped(self._story.play(devices, self._documents))
            if whole:
                await self._wait_for_the_end()
        finally:
            for task in (working, thermometer):
                task.cancel()
            await asyncio.gather(working, thermometer, return_exceptions=True)
        if not self._asked.proof:
            return
        if not whole or (self._asked.seconds is not None and self._stop.is_set()):
            self._narrator.say("interrupted")
            self.report.faults.append("the demonstration was interrupted")
            return
        await self._prove()

    async def _wait_for_the_end(self) -> None:
        if self._asked.seconds is None:
            self._narrator.say("goes_on")
            await self._stop.wait()
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._asked.seconds - self._narrator.seconds)):
                await self._stop.wait()

    async def _until_stopped(self, acts: Coroutine[Any, Any, None]) -> bool:
        """Run to the end unless a signal comes first; return whether it came to its end."""
        playing, stopped = asyncio.create_task(acts), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((playing, stopped), return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                playing.result()
            return playing.done()
        finally:
            for task in (playing, stopped):
                task.cancel()
            await asyncio.gather(playing, stopped, return_exceptions=True)

    async def _beside(self, acts: Coroutine[Any, Any, None]) -> None:
        """Run beside the watch over the children: one that ends by itself ends the demonstration."""
        try:
            async with asyncio.TaskGroup() as group:
                watches = [group.create_task(child.watch()) for child in self._children.values()]
                await acts
                for watch in watches:
                    watch.cancel()
        except BaseExceptionGroup as errors:
            self._kill()  # without one of them the others would only drain into nothing
            raise _first(errors) from errors

    async def _prove(self) -> None:
        self._narrator.say("proof")
        await settle(self._measures)
        self.report.durable = await self._story.durable()
        if not await self._children["replicator"].stop():
            self.report.faults.append("stop replicator: it left something undone, or did not end with 0")
        await prove(self.report, self.place.folder, self.place.root / "vault.toml", self.place.restored)
        judge(self.report)
        if self.report.restored_equal:
            self._narrator.say("equal", files=self.report.files, megabytes=self.report.bytes / 1e6)

    # ------------------------------------------------------------------ build and stop

    @contextlib.asynccontextmanager
    async def _built(self) -> AsyncIterator[Simulated]:
        tongue, place = self._narrator.tongue, self.place
        loop = asyncio.get_running_loop()

        def hear(message: Arrived) -> None:
            loop.call_soon_threadsafe(self._story.hear, message)

        self._narrator.say("wait")
        async with contextlib.AsyncExitStack() as stack:
            devices = await stack.enter_async_context(simulate("disaster", begin=False))
            sink = Sink(hear)
            stack.callback(sink.close)
            vault = place.write("vault", tongue)
            room = place.write("room", tongue, devices=devices.config_text(), sink=sink.url)
            stack.push_async_callback(self._stop_children)
            for name, file in (("vault", vault), ("replicator", room), ("monitor", room)):
                self._children[name] = await Child.start(name, ["run", name, "--config", str(file)], place.root)
            yield devices

    async def _stop_children(self) -> None:
        self._narrator.say("stopping")
        for name in ("replicator", "monitor", "vault"):
            if name in self._children:
                await self._children[name].stop()
        self._narrator.say("stopped")

    @contextlib.asynccontextmanager
    async def _signals(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _on_signal(self) -> None:
        """The first asks for the end; the second ends the daemons at once."""
        if self._stop.is_set():
            self._kill()
        self._stop.set()

    def _kill(self) -> None:
        for child in self._children.values():
            child.kill()

    def _introduce(self) -> None:
        place, say = self.place, self._narrator.say
        say("title")
        say("place", root=place.root)
        say("folder", folder=place.folder)
        say("vault", current=place.vault_root / "current" / "documents")
        say("console", url=f"http://127.0.0.1:{place.ports['console']}/")
        say("try")
        room = place.root / "room.toml"
        for command in ("status", "alarms", "ack rack1-hot --by kim", "check --connect"):
            self._narrator.plain(f"    bongsu {command} --config {room}")


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of ours in a group of groups, or else the first of all."""
    found: BaseException = errors.subgroup(DemoError) or errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


async def play(asked: Asked, narrator: Narrator) -> int:
    """Play one demonstration, say how it went, write the report, and return the exit code."""
    demo = Demo(asked, narrator)
    try:
        await demo.run()
    except DemoError as error:
        demo.report.faults.append(str(error))
        narrator.say("hint", text=error.hint)
    if asked.report is not None:
        demo.report.write(asked.report)
    _sum_up(demo.report, narrator)
    if demo.report.faults:
        narrator.say("kept", root=demo.place.root)
        return 1
    demo.place.remove()
    return 0


def _sum_up(report: Report, narrator: Narrator) -> None:
    calm = report.calm
    if calm.p50 is not None and calm.p99 is not None:
        narrator.say("durable", p50=calm.p50 * 1000, p99=calm.p99 * 1000, count=calm.count)
    for fault in report.faults:
        narrator.say("fault", text=fault)
    if report.passed:
        narrator.say("passed")
