"""The monitor as a whole: a Modbus server that is not ours, real brokers, a real file of messages."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agent.errors import AlreadyRunningError, FatalError
from agent.monitor import MonitorDaemon
from alerts.errors import DamagedError, StoreError
from tests.agent import site
from tests.agent.support import Heard, eventually, run
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
    server = ModbusServer(free_port(), registers={1: 251, 2: 480})
    yield server
    server.close()


def _sections(rack: ModbusServer, bus: str = "") -> list[str]:
    return [site.SITE, site.MONITOR, bus, site.DEVICES.format(port=rack.port), site.PEOPLE]


def _bus(port: int, *, embedded: bool = True) -> str:
    return f'[bus]\nurl = "mqtt://127.0.0.1:{port}"\nembedded = {str(embedded).lower()}\n'


def test_a_hot_rack_is_told_shown_and_published(path: Path, rack: ModbusServer) -> None:
    """From the register to the message, the topics, the metrics and the status; and back when it is cool again."""
    port = free_port()
    settings = site.config(path, *_sections(rack, _bus(port)))

    async def scenario() -> None:
        async with site.monitor(settings) as daemon:
            await eventually(lambda: "bus" in daemon.parts and daemon.parts["bus"][0], "the bus is up")
            async with Heard(port) as heard:
                rack.set(1, 380)
                await eventually(lambda: site.told(path, event="raised", alarm="hot"), "the message is written")
                await eventually(
                    lambda: _field(heard, "bongsu/v1/t/alarm/hot", "state") == "unacknowledged", "the topic says it"
                )
                assert any("/event/" in topic and not retained for topic, _, retained in heard.all)
                reading = json.loads(heard.newest["bongsu/v1/t/reading/rack1/temperature"])
                assert (reading["v"], reading["unit"], reading["quality"]) == (1, "°C", "good")
                found = await site.state(settings)
                assert [alarm["id"] for alarm in found["alarms"] if alarm["active"]] == ["hot"]
                assert not found["well"]
                metrics = await _get(daemon, "metrics", "/metrics")
                assert 'bongsu_alarm_active{alarm="hot",severity="critical"} 1.0' in metrics
                assert 'bongsu_part_up{part="monitor"} 1.0' in metrics
                rack.set(1, 250)
                await eventually(lambda: site.told(path, event="cleared", alarm="hot"), "its end is told")

    run(scenario())


def _field(heard: Heard, topic: str, name: str) -> object:
    return json.loads(heard.newest[topic])[name] if topic in heard.newest else None


async def _get(daemon: MonitorDaemon, name: str, where: str) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{daemon.webs[name].port}{where}", timeout=30)
        assert answer.status_code == 200
        return answer.text


def test_a_lost_device_is_null_on_the_bus_and_a_gap_in_the_metrics(path: Path, rack: ModbusServer) -> None:
    """A value that is not there is shown nowhere: null, a dash, no sample."""
    port = free_port()
    settings = site.config(path, *_sections(rack, _bus(port)))
    topic = "bongsu/v1/t/reading/rack1/temperature"

    async def scenario() -> None:
        async with site.monitor(settings) as daemon:
            await eventually(daemon.room.readings, "the rack is read")
            await eventually(lambda: daemon.parts.get("bus", (False, ""))[0], "the bus is up")
            await asyncio.to_thread(rack.close)
            async with Heard(port) as heard:
                await eventually(lambda: _field(heard, topic, "quality") == "lost", "the loss is published")
                assert json.loads(heard.newest[topic])["value"] is None
            assert "bongsu_temperature_celsius{" not in await _get(daemon, "metrics", "/metrics")
            assert "—" in await _get(daemon, "console", "/")

    run(scenario())


def test_a_killed_broker_delays_no_message_and_is_told(path: Path, rack: ModbusServer) -> None:
    """Messages need no broker; a dead one is an alarm, its return the end of it, and all states are there again."""
    port = free_port()
    settings = site.config(path, *_sections(rack, _bus(port)))

    async def scenario() -> None:
        async with site.monitor(settings) as daemon:
            await eventually(lambda: daemon.parts.get("bus", (False, ""))[0], "the bus is up")
            assert daemon.view is not None
            assert daemon.view.broker is not None
            assert daemon.view.broker.pid is not None
            # A stranger on the port keeps our broker from coming back until the death was told.
            os.kill(daemon.view.broker.pid, signal.SIGKILL)
            with await _take(port):
                rack.set(1, 380)
                await eventually(lambda: site.told(path, event="raised", alarm="hot"), "the alarm's message")
                await eventually(lambda: site.told(path, event="raised", alarm="bus"), "the broker's death")
            await eventually(lambda: site.told(path, event="cleared", alarm="bus"), "its return")
            async with Heard(port) as heard:
                await eventually(
                    lambda: _field(heard, "bongsu/v1/t/alarm/hot", "active") is True, "the states are back"
                )

    run(scenario())


async def _take(port: int) -> socket.socket:
    while True:
        with contextlib.suppress(OSError):
            taken = socket.socket()
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", port))
                taken.listen()
            except OSError:
                taken.close()
                raise
            return taken
        await asyncio.sleep(0.001)


def test_a_second_monitor_is_refused(path: Path, rack: ModbusServer) -> None:
    """Two of them on one state directory would tell everything twice."""
    settings = site.config(path, *_sections(rack))

    async def scenario() -> None:
        async with site.monitor(settings):
            with pytest.raises(AlreadyRunningError, match="another monitor"):
                await MonitorDaemon(settings).start()
            assert (await site.state(settings))["parts"]

    run(scenario())


def test_a_port_in_use_is_fatal_and_leaves_nothing_behind(path: Path, rack: ModbusServer) -> None:
    """The console's address is named; the lock is free again for the next start."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f'[monitor]\nconsole = "127.0.0.1:{other.getsockname()[1]}"\n'
        settings = site.config(path, site.SITE, taken, site.DEVICES.format(port=rack.port), site.PEOPLE)

        async def refused() -> None:
            with pytest.raises(FatalError, match=r"listen for console .*in use"):
                await MonitorDaemon(settings).start()

        run(refused())

    async def started() -> None:
        async with site.monitor(settings):
            pass

    run(started())


def test_an_alarm_survives_a_disk_that_cannot_be_written(
    path: Path, rack: ModbusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the desk cannot store, polling goes on; the alarm is told as soon as it can."""
    settings = site.config(path, *_sections(rack))

    async def scenario() -> None:
        async with site.monitor(settings) as daemon:
            await eventually(daemon.room.readings, "the rack is read")
            tried: list[object] = []

            def full(condition: object, **_: object) -> None:
                tried.append(condition)
                raise StoreError("apply hot: no space left on device", "make room")

            with monkeypatch.context() as patch:
                patch.setattr(daemon.desk, "apply", full)
                rack.set(1, 380)
                await eventually(lambda: len(tried) > 1, "it is tried again")
                before = daemon.room.readings()[0].at
                await eventually(lambda: daemon.room.readings()[0].at > before, "polling goes on")
                assert not site.told(path, alarm="hot")
            await eventually(lambda: site.told(path, event="raised", alarm="hot"), "it is told in the end")

    run(scenario())


def test_threads_that_hang_delay_no_alarm(path: Path, rack: ModbusServer) -> None:
    """Names are looked up in the threads that all share; in a fire nobody answers, and all of them hang."""
    settings = site.config(path, *_sections(rack))
    gate = threading.Event()

    async def scenario() -> None:
        async with site.monitor(settings) as daemon:
            await eventually(daemon.room.readings, "the rack is read")
            loop = asyncio.get_running_loop()
            hanging = [loop.run_in_executor(None, gate.wait) for _ in range(100)]
            try:
                rack.set(1, 380)
                await eventually(lambda: site.told(path, event="raised", alarm="hot"), "the alarm is told")
            finally:
                gate.set()
                await asyncio.gather(*hanging)

    run(scenario())


def test_a_state_file_that_is_damaged_at_work_ends_the_process(
    path: Path, rack: ModbusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets no better and nobody would be told; the next start puts the file aside."""
    settings = site.config(path, *_sections(rack))

    def damaged(*_: object) -> None:
        raise DamagedError("claim notifications: database disk image is malformed", "look at the disk")

    async def scenario() -> None:
        async with site.monitor(settings) as daemon:
            monkeypatch.setattr(daemon.desk.outbox, "claim", damaged)
            rack.set(1, 380)
            with pytest.raises(FatalError, match="malformed"):
                await daemon.wait()

    run(scenario())


def test_an_acknowledgement_ends_the_calling(path: Path, rack: ModbusServer) -> None:
    """By the control socket as the command does it; a second one is refused with a hint."""
    from agent import requests
    from agent.client import ask, socket_path
    from agent.errors import RequestRefusedError

    settings = site.config(path, *_sections(rack))
    socket_ = socket_path(settings.site.state, "monitor")

    async def scenario() -> None:
        async with site.monitor(settings):
            rack.set(1, 380)
            await eventually(lambda: site.told(path, event="raised", alarm="hot"), "it is raised")
            await ask(socket_, requests.Acknowledge(alarm="hot", by="kim", note="가는 중"))
            await eventually(lambda: site.told(path, event="acknowledged", alarm="hot"), "it is told")
            for alarm, by in (("hot", "kim"), ("cold", "kim"), ("hot", "nobody")):
                with pytest.raises(RequestRefusedError) as caught:
                    await ask(socket_, requests.Acknowledge(alarm=alarm, by=by))
                assert caught.value.hint
            with pytest.raises(RequestRefusedError, match="shelve hot"):
                await ask(socket_, requests.Shelve(alarm="hot", seconds=-1, by="kim", reason="점검"))
            shelved = await ask(socket_, requests.Shelve(alarm="hot", seconds=600, by="kim", reason="점검"))
            assert shelved["event"]["state"] == "shelved"

    run(scenario())
