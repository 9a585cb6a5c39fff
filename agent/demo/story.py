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
_LAG = "bongsu_replication_lag_seconds"
_PENDING_BYTES = "bongsu_replication_pending_bytes"
_START_LIMIT = 90.0
_MESSAGE_LIMIT = 60.0
_CALM = 4.0


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
        before = await self._histogram()  # what waited for the vault to be reached at the start is not its pace
        await asyncio.sleep(_CALM)
        self.report.calm = await self.durable(before)
        saved = await asyncio.to_thread(documents.scan_pages)
        self._narrator.say("scan", megabytes=saved / 1e6)
        saved_at = time.monotonic()
        await self._pending()
        devices.begin()
        self._narrator.say("fire")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._evacuated(saved_at))
            group.create_task(self._messages())

    async def durable(self, before: dict[float, float] | None = None) -> Durable:
        """Return the replicator's own figures of change to durable, of all changes or of those after a histogram."""
        now = await self._histogram()
        fresh = {bound: count - (before or {}).get(bound, 0.0) for bound, count in now.items()}
        count = int(max(fresh.values(), default=0))
        return Durable(p50=quantile(fresh, 0.5), p99=quantile(fresh, 0.99), count=count)

    async def _histogram(self) -> dict[float, float]:
        return buckets(await self._measures.samples("replicator"), _DURABLE)

    async def thermometer(self) -> None:
        """Tell the temperature whenever it has moved by a degree, until cancelled."""
        told: float | None = None
        while True:
            await asyncio.sleep(0.5)
            now = await self._temperature()
            told = now if told is None else told
            if now is not None and told is not None and abs(now - told) >= 1:
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

    async def _pending(self) -> None:
        files = await self._measures.value("replicator", _PENDING, source="documents") or 0
        size = await self._measures.value("replicator", _PENDING_BYTES, source="documents") or 0
        self._narrator.say("pending", files=int(files), megabytes=size / 1e6)

    async def _evacuated(self, saved_at: float) -> None:
        """From the first alarm until nothing that was saved before it is left; the office goes on writing.

        `saved_at`: monotonic time in seconds at which the last of it was saved.
        """
        await self._first_alarm()
        began = time.monotonic()
        await self._pending()
        end = began + _MESSAGE_LIMIT
        while not await self._nothing_older_than(saved_at):
            self._not_after(end, "evacuate the documents: some are still in the building")
            await asyncio.sleep(0.1)
        self.report.evacuated_seconds = time.monotonic() - began
        self._narrator.say("safe", seconds=self.report.evacuated_seconds)

    async def _nothing_older_than(self, moment: float) -> bool:
        """Whether the oldest document that is still here was changed after this monotonic time, in seconds."""
        asked = time.monotonic()
        lag = await self._measures.value("replicator", _LAG, source="documents")
        return lag is not None and lag < asked - moment

    async def _first_alarm(self) -> None:
        end = time.monotonic() + _MESSAGE_LIMIT
        while not any(is_raised(message.body, alarm) for message in self.arrived for alarm in ALARMS):
            self._not_after(end, "raise the alarm: no message came")
            await asyncio.sleep(0.05)

    async def _messages(self) -> None:
        """Wait until each alarm's message is at the sink and in the file, or the limit; the report says which are."""
        end = time.monotonic() + _MESSAGE_LIMIT
        while True:
            self.report.alarms = [report(alarm, self.arrived, self._place.messages) for alarm in ALARMS]
            arrived = all(alarm.message_seconds is not None for alarm in self.report.alarms)
            written = all(alarm.written for alarm in self.report.alarms)
            if (arrived and (written or self._channel_is_dead())) or time.monotonic() > end:
                return
            await asyncio.sleep(0.2)

    def _channel_is_dead(self) -> bool:
        """Whether the monitor itself says that one of the two ways fails: what is missing will not come."""
        return any(str(message.body.get("alarm")).startswith("channel:") for message in self.arrived)

    def _not_after(self, end: float, what: str) -> None:
        if time.monotonic() > end:
            raise DemoError(what, f"the logs in {self._place.root} say more")
