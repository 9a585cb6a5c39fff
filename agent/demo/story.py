"""What happens in the demonstration, step by step, each step told in plain words."""

import asyncio
import time

from agent.demo.documents import Documents
from agent.demo.errors import DemoError
from agent.demo.measures import Measures, buckets, quantile
from agent.demo.messages import is_raised, report, seconds_after
from agent.demo.narrator import Narrator
from agent.demo.place import Place
from agent.demo.report import Durable, Report
from agent.demo.sink import Arrived
from sensors.simulator import Simulated

#: The alarms of the disaster, in the order of its script.
ALARMS = ("rack1-hot", "floor-leak", "room-smoke")
_DURABLE = "bongsu_replication_durable_seconds"
_PENDING = "bongsu_replication_pending_files"
_PENDING_BYTES = "bongsu_replication_pending_bytes"
_START_LIMIT = 90.0
_MESSAGE_LIMIT = 60.0
_CALM = 3.0


class Story:
    """Plays one demonstration on parts that already run, and writes what it measures into a report."""

    def __init__(self, place: Place, narrator: Narrator, measures: Measures, report: Report) -> None:
        """Nothing happens yet."""
        self._place = place
        self._narrator = narrator
        self._measures = measures
        self.report = report
        self.arrived: list[Arrived] = []

    def hear(self, message: Arrived) -> None:
        """Tell a message that arrived at the sink."""
        self.arrived.append(message)
        event, said = message.body.get("event", "?"), message.body.get("text", "")
        if event == "raised":
            self._narrator.say("message_in", event=event, text=said, seconds=seconds_after(message))
        else:
            self._narrator.say("message", event=event, text=said)

    async def play(self, devices: Simulated, documents: Documents) -> None:
        """From the first reading to the last document out of the building.

        Raises:
            DemoError: a step did not come within a generous limit.
        """
        await self._first_reading()
        await self._connected()
        await asyncio.sleep(_CALM)
        self.report.calm = await self.durable()
        saved = await asyncio.to_thread(documents.scan_pages)
        self._narrator.say("scan", megabytes=saved / 1e6)
        await self._pending()
        began = time.monotonic()
        devices.begin()
        self._narrator.say("fire")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._evacuated(began))
            group.create_task(self._messages())

    async def durable(self) -> Durable:
        """Return the replicator's own figures of change to durable."""
        histogram = buckets(await self._measures.samples("replicator"), _DURABLE)
        count = int(max(histogram.values(), default=0))
        return Durable(p50=quantile(histogram, 0.5), p99=quantile(histogram, 0.99), count=count)

    async def thermometer(self) -> None:
        """Tell the temperature whenever it has moved by a degree, until cancelled."""
        told = await self._temperature()
        while True:
            await asyncio.sleep(0.5)
            now = await self._temperature()
            if now is not None and (told is None or abs(now - told) >= 1):
                told = now
                self._narrator.say("temperature", value=now)

    async def _temperature(self) -> float | None:
        return await self._measures.value("monitor", "bongsu_temperature_celsius", device="rack1")

    async def _first_reading(self) -> None:
        end = time.monotonic() + _START_LIMIT
        while (value := await self._temperature()) is None:
            self._not_after(end, "read rack 1: no reading came")
            await asyncio.sleep(0.05)
        self.report.first_reading_seconds = self._narrator.seconds
        self._narrator.say("first", value=value)

    async def _connected(self) -> None:
        end = time.monotonic() + _START_LIMIT
        while not (done := (await self.durable()).count):
            self._not_after(end, "reach the vault: no document became durable")
            await asyncio.sleep(0.1)
        self._narrator.say("copied", files=done)

    async def _pending(self) -> int:
        files = await self._measures.value("replicator", _PENDING, source="documents") or 0
        size = await self._measures.value("replicator", _PENDING_BYTES, source="documents") or 0
        self._narrator.say("pending", files=int(files), megabytes=size / 1e6)
        return int(files)

    async def _evacuated(self, began: float) -> None:
        """Wait until nothing of what was pending is left; the office goes on writing, so zero is seen in passing."""
        await self._first_message()
        end = time.monotonic() + _MESSAGE_LIMIT
        while await self._pending() > 0:
            self._not_after(end, "evacuate the documents: some are still in the building")
            await asyncio.sleep(0.3)
        self.report.evacuated_seconds = time.monotonic() - began
        self._narrator.say("safe", seconds=self.report.evacuated_seconds)

    async def _first_message(self) -> None:
        end = time.monotonic() + _MESSAGE_LIMIT
        while not any(is_raised(message.body, alarm) for message in self.arrived for alarm in ALARMS):
            if time.monotonic() > end:
                return
            await asyncio.sleep(0.1)

    async def _messages(self) -> None:
        """Wait until each alarm's message is at the sink and in the file, or the limit; the report says which are."""
        end = time.monotonic() + _MESSAGE_LIMIT
        while True:
            alarms = [report(alarm, self.arrived, self._place.messages) for alarm in ALARMS]
            self.report.alarms = alarms
            if all(alarm.written and alarm.message_seconds is not None for alarm in alarms) or time.monotonic() > end:
                return
            await asyncio.sleep(0.2)

    def _not_after(self, end: float, what: str) -> None:
        if time.monotonic() > end:
            raise DemoError(what, f"the logs in {self._place.root} say more")
