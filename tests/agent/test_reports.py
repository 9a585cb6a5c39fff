"""The monitor's ear: reports over the real socket, the evacuation's lines, silence."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent import reports, requests
from agent.client import ask, connect, socket_path
from agent.errors import RequestRefusedError
from agent.reporter import Reporter
from agent.requests import Evacuation, Report
from alerts.condition import Condition
from config.model import Severity
from tests.agent import site
from tests.agent.support import eventually, run
from tests.support.modbus import ModbusServer
from tests.support.ports import free_port


@pytest.fixture
def path() -> Iterator[Path]:
    """A folder of the test's own."""
    with site.folder() as folder:
        yield folder


@pytest.fixture
def rack() -> Iterator[ModbusServer]:
    """Register 1 is the temperature in tenths of a degree."""
    server = ModbusServer(free_port(), registers={1: 380, 2: 480})
    yield server
    server.close()


class Voice:
    """A replicator as the monitor hears it: the real reporter, with what it says set by the test."""

    def __init__(self, path: Path) -> None:
        """Speak to the monitor of this folder."""
        self.says = Report(part="replicator", status={"vault": {"connected": True}, "sources": {}})
        self.asked: list[list[str]] = []
        self.heard: list[tuple[bool, str]] = []
        socket = socket_path(path / "state", "monitor")
        self.reporter = Reporter(
            socket, lambda: self.says, self._evacuate, lambda up, why: self.heard.append((up, why))
        )

    async def _evacuate(self, alarms: list[str]) -> None:
        self.asked.append(alarms)

    def say(self, **changes: Any) -> None:
        """Change what is said, and say it."""
        self.says = msgspec.structs.replace(self.says, **changes)
        self.reporter.changed()

    async def __aenter__(self) -> "Voice":  # noqa: PYI034 - no subclass of it
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self.reporter.run(self._stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._task


def _sections(rack: ModbusServer) -> list[str]:
    return [
        site.SITE, site.MONITOR, site.DEVICES.format(port=rack.port), site.PEOPLE, site.REPLICATOR.format(port=1)
    ]  # fmt: skip


def test_a_fire_sends_the_documents_out_and_its_messages_say_how_far(path: Path, rack: ModbusServer) -> None:
    """The replicator is asked; what is still here rides on a repeat; the end is told at once, and only once."""
    settings = site.config(path, *_sections(rack))

    async def scenario() -> None:
        async with site.monitor(settings), Voice(path) as voice:
            await eventually(lambda: ["hot"] in voice.asked, "the replicator is asked")
            voice.say(evacuations={"hot": Evacuation(point="p", pending=12, pending_bytes=3_400_000)})
            await eventually(lambda: _texts(path, "문서 대피 중: 미전송 12건(3.4MB)"), "a repeat carries it")
            voice.say(evacuations={"hot": Evacuation(point="p", sealed=True, complete=True)})
            await eventually(lambda: _texts(path, "미전송 0건", event="info"), "the end is told at once")
            assert "12건" not in _texts(path, "미전송 0건", event="info")[0]
            await eventually(lambda: _texts(path, "미전송 0건", event="repeated"), "later repeats carry it too")
        async with site.monitor(settings), Voice(path) as voice:
            voice.say(evacuations={"hot": Evacuation(point="p", sealed=True, complete=True)})
            await eventually(lambda: ["hot"] in voice.asked, "after a restart it is asked again")
            await asyncio.to_thread(rack.set, 1, 200)
            await eventually(lambda: voice.asked[-1] == [], "the end of the alarm ends it")
        assert len(_texts(path, "미전송 0건", event="info")) == 1

    run(scenario())


def _texts(path: Path, words: str, event: str = "") -> list[str]:
    found = site.told(path, alarm="hot", **({"event": event} if event else {}))
    return [each["text"] for each in found if words in each["text"]]


def test_a_silence_after_the_end_is_taken_back(path: Path, rack: ModbusServer) -> None:
    """Who is told that nobody knows how the documents are is told again that they are safe, once it is known again."""
    settings = site.config(path, *_sections(rack))
    complete = {"hot": Evacuation(point="p", sealed=True, complete=True)}

    async def scenario() -> None:
        async with site.monitor(settings), Voice(path) as voice:
            voice.say(evacuations=complete)
            await eventually(lambda: _texts(path, "미전송 0건", event="info"), "the end is told at once")
        async with site.monitor(settings):
            await eventually(lambda: _texts(path, "문서 상태 모름"), "the monitor waits for the replicator")
            unknown = len(_texts(path, "문서 상태 모름"))
            before = len(_texts(path, "미전송 0건", event="repeated"))
            async with Voice(path) as voice:
                voice.say(evacuations=complete)
                await eventually(
                    lambda: len(_texts(path, "미전송 0건", event="repeated")) > before,
                    "the next says that they are safe",
                )
                assert len(_texts(path, "미전송 0건", event="info")) == 1
        assert unknown

    run(scenario())


def test_a_report_of_another_name_clears_nothing(path: Path, rack: ModbusServer) -> None:
    """A report without a name would be the monitor's own, and clear every alarm of the room."""
    settings = site.config(path, *_sections(rack))

    async def scenario() -> None:
        async with site.monitor(settings) as daemon:
            await eventually(lambda: site.told(path, event="raised", alarm="hot"), "it is raised")
            for name in ("", "channels", "store", "nobody"):
                with pytest.raises(RequestRefusedError, match="no such part"):
                    await ask(socket_path(path / "state", "monitor"), Report(part=name))
            assert daemon.desk.alarm("hot").active

    run(scenario())


def test_with_no_replicator_the_message_says_so(
    path: Path, rack: ModbusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may think the documents safe because nobody said otherwise; its silence is an alarm of its own."""
    monkeypatch.setattr(reports, "SILENCE_SECONDS", 0.5)
    settings = site.config(path, *_sections(rack))

    async def scenario() -> None:
        async with site.monitor(settings):
            await eventually(lambda: _texts(path, "복제기 응답 없음"), "a repeat says it")
            await eventually(lambda: site.told(path, event="raised", alarm="part:replicator"), "the silence is told")
            async with Voice(path):
                await eventually(lambda: site.told(path, event="cleared", alarm="part:replicator"), "its end too")

    run(scenario())


def test_conditions_of_a_part_are_raised_and_cleared_with_its_reports(path: Path, rack: ModbusServer) -> None:
    """What a report holds is active; what the next one does not hold is over."""
    settings = site.config(path, *_sections(rack))
    from agent.evacuation import utc_now

    blind = Condition(alarm="blind:docs", active=True, severity=Severity.ALERT, text="감시 공백", at=utc_now())

    async def scenario() -> None:
        async with site.monitor(settings), Voice(path) as voice:
            voice.say(conditions=[blind])
            await eventually(lambda: site.told(path, event="raised", alarm="blind:docs"), "it is raised")
            voice.say(conditions=[])
            await eventually(lambda: site.told(path, event="cleared", alarm="blind:docs"), "it is cleared")

    run(scenario())


def test_the_reporter_comes_back_after_the_monitor(path: Path, rack: ModbusServer) -> None:
    """With the monitor away the replicator's side waits for nothing; it reports again when the monitor is back."""
    settings = site.config(path, *_sections(rack))

    async def scenario() -> None:
        async with Voice(path) as voice:
            await eventually(lambda: voice.heard[-1:] and voice.heard[-1][0] is False, "nobody hears it")
            async with site.monitor(settings):
                await eventually(lambda: voice.heard[-1] == (True, ""), "the monitor hears it")
            await eventually(lambda: voice.heard[-1][0] is False, "and no more")
            async with site.monitor(settings):
                await eventually(lambda: voice.heard[-1] == (True, ""), "and again")

    run(scenario())


def test_a_report_that_is_none_changes_nothing(path: Path, rack: ModbusServer) -> None:
    """A report with wrong fields is refused, and the monitor goes on."""
    settings = site.config(path, *_sections(rack))

    async def scenario() -> None:
        async with site.monitor(settings):
            async with connect(socket_path(settings.site.state, "monitor")) as (reader, writer):
                writer.write(b'{"do":"report","part":7}\n')
                assert b'"ok":false' in await reader.readline()
                writer.write(requests.encode(requests.Report(part="replicator", status={"sources": 3})))
                assert b'"ok":true' in await reader.readline()
            assert "monitor" in {part["part"] for part in (await site.state(settings))["parts"]}

    run(scenario())
