"""The bus against a real Mosquitto and against our own broker."""

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from agent.broker import EmbeddedBroker
from agent.bus import Bus, BusLogin
from agent.errors import BusError
from agent.supervisor import Supervisor
from config.address import BusAddress
from config.secret import Secret
from tests.agent.support import Heard, eventually, run
from tests.support.certificates import make_ca, make_certificate
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port

ALIVE = ("bongsu/v1/t/part/monitor", b'{"state":"online"}', b'{"state":"offline"}')


class Broker:
    """One of the two brokers: where it is, and how to kill it and let it come back."""

    def __init__(self, login: BusLogin, kill: Callable[[], None], back: Callable[[], None]) -> None:
        """Remember them."""
        self.login, self.kill, self.back = login, kill, back


@asynccontextmanager
async def _mosquitto(folder: Path) -> AsyncGenerator[Broker, None]:
    server = Mosquitto(folder / "mosquitto", free_port())
    login = BusLogin(BusAddress("127.0.0.1", server.port, tls=False))
    try:
        yield Broker(login, server.kill, server.start)
    finally:
        server.kill()


@asynccontextmanager
async def _embedded(_folder: Path) -> AsyncGenerator[Broker, None]:
    login = BusLogin(BusAddress("127.0.0.1", free_port(), tls=False))
    broker = EmbeddedBroker(login)
    supervisor = Supervisor()
    supervisor.add("broker", broker.run)

    def kill() -> None:
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGKILL)

    try:
        await broker.wait_ready()
        yield Broker(login, kill, lambda: None)  # the supervisor starts it again
    finally:
        await supervisor.stop(timedelta(seconds=20))


@pytest.fixture(params=[_mosquitto, _embedded], ids=["mosquitto", "embedded"])
def start(request: pytest.FixtureRequest) -> Callable[[Path], "asyncio.Future[Broker]"]:
    """Each broker in turn."""
    return request.param  # type: ignore[no-any-return]


Start = Callable[[Path], "asyncio.Future[Broker]"]


@asynccontextmanager
async def _bus(login: BusLogin, states: list[bool] | None = None) -> AsyncGenerator[Bus, None]:
    stop = asyncio.Event()
    told = states if states is not None else []
    bus = Bus(login, ALIVE, lambda up, _reason: told.append(up))
    task = asyncio.create_task(bus.run(stop))
    try:
        yield bus
    finally:
        stop.set()
        await task


def test_what_is_put_is_heard_and_retained(start: Start, tmp_path: Path) -> None:
    """A listener hears events as they come; one that comes later finds the retained topics."""

    async def scenario() -> None:
        async with start(tmp_path) as broker, Heard(broker.login.address.port) as early, _bus(broker.login) as bus:  # type: ignore[attr-defined]
            await eventually(lambda: early.newest.get(ALIVE[0]) == ALIVE[1], "we are online")
            bus.put("bongsu/v1/t/reading/r/x", b"1", retain=True)
            bus.put("bongsu/v1/t/event/e", b"2", retain=False)
            await eventually(lambda: early.newest.get("bongsu/v1/t/event/e") == b"2", "the event is heard")
            async with Heard(broker.login.address.port) as late:
                await eventually(lambda: late.newest.get("bongsu/v1/t/reading/r/x") == b"1", "the reading is found")
                assert "bongsu/v1/t/event/e" not in late.newest

    run(scenario())


def test_a_clean_stop_says_offline_after_all_else(start: Start, tmp_path: Path) -> None:
    """What was put before the stop is published, then `offline`."""

    async def scenario() -> None:
        async with start(tmp_path) as broker, Heard(broker.login.address.port) as heard:  # type: ignore[attr-defined]
            async with _bus(broker.login) as bus:
                await eventually(lambda: heard.newest.get(ALIVE[0]) == ALIVE[1], "we are online")
                for number in range(100):
                    bus.put(f"bongsu/v1/t/event/{number}", b"x", retain=False)
            await eventually(lambda: heard.newest.get(ALIVE[0]) == ALIVE[2], "we are offline")
            assert sum("/event/" in topic for topic, _, _ in heard.all) == 100

    run(scenario())


def test_a_killed_broker_is_told_and_gets_everything_retained_again(start: Start, tmp_path: Path) -> None:
    """A broker that comes back knowing nothing learns every retained topic, also what changed meanwhile."""
    states: list[bool] = []

    async def scenario() -> None:
        async with start(tmp_path) as broker, _bus(broker.login, states) as bus:  # type: ignore[attr-defined]
            bus.put("bongsu/v1/t/reading/r/kept", b"1", retain=True)
            bus.put("bongsu/v1/t/reading/r/changed", b"old", retain=True)
            await eventually(lambda: states[-1:] == [True], "the broker is there")
            broker.kill()
            await eventually(lambda: states[-1:] == [False], "its death is told")
            bus.put("bongsu/v1/t/reading/r/changed", b"new", retain=True)
            broker.back()
            await eventually(lambda: states[-1:] == [True], "it is back")
            async with Heard(broker.login.address.port) as heard:
                await eventually(lambda: heard.newest.get("bongsu/v1/t/reading/r/kept") == b"1", "kept")
                await eventually(lambda: heard.newest.get("bongsu/v1/t/reading/r/changed") == b"new", "changed")

    run(scenario())


def test_junk_at_the_brokers_port_hurts_nobody(start: Start, tmp_path: Path) -> None:
    """Bytes that are no MQTT, half packets and silent connections leave the others alone."""
    junk = [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\x7f", b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"]
    junk += [bytes([first]) + os.urandom(60) for first in range(0, 256, 5)]

    async def scenario() -> None:
        async with start(tmp_path) as broker, Heard(broker.login.address.port) as heard, _bus(broker.login) as bus:  # type: ignore[attr-defined]
            port = broker.login.address.port
            silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
            for number, data in enumerate(junk):
                with socket.create_connection(("127.0.0.1", port)) as sender:
                    sender.sendall(data)
                bus.put("bongsu/v1/t/event/e", str(number).encode(), retain=False)
                await asyncio.sleep(0)
            last = str(len(junk) - 1).encode()
            await eventually(lambda: heard.newest.get("bongsu/v1/t/event/e") == last, "the last event is heard")
            for sender in silent:
                sender.close()

    run(scenario())


def test_a_broker_that_accepts_and_says_nothing_is_down() -> None:
    """A connection is no broker: without an answer it is told as down and closed, will and all; then tried anew."""
    states: list[bool] = []

    async def scenario() -> None:
        ended: list[int] = []

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ended.append(len(await reader.read()))
            writer.close()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        login = BusLogin(BusAddress("127.0.0.1", server.sockets[0].getsockname()[1], tls=False))
        async with _bus(login, states):
            await eventually(lambda: states == [False] and len(ended) > 1, "it is down, closed, and tried again")
        server.close()
        await server.wait_closed()

    run(scenario())


def test_other_connections_of_the_loop_do_not_notice_a_broker_that_hangs_up(tmp_path: Path) -> None:
    """While a broker closes each connection at once, what else the loop talks to goes on being answered."""

    async def scenario() -> None:
        refused: list[int] = []

        async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            refused.append(1)
            writer.close()

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read(1))
            await writer.drain()
            writer.close()

        async with asyncio.TaskGroup() as group:
            bad, good = [await asyncio.start_server(each, "127.0.0.1", 0) for each in (hang_up, echo)]
            ports = [server.sockets[0].getsockname()[1] for server in (bad, good)]
            bus = Bus(BusLogin(BusAddress("127.0.0.1", ports[0], tls=False)), ALIVE, lambda _up, _reason: None)

            async def ask() -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", ports[1])
                writer.write(b"x")
                async with asyncio.timeout(30):
                    assert await reader.read(1) == b"x"
                writer.close()
                await writer.wait_closed()

            async def knock() -> None:
                while len(refused) < 8:
                    with pytest.raises(BusError):
                        await bus.check()

            tries = [group.create_task(knock()) for _ in range(4)]
            while not all(task.done() for task in tries):
                await ask()
            for server in (bad, good):
                server.close()
                await server.wait_closed()

    run(scenario())


def test_it_lives_in_a_thread_of_its_own_and_leaves_none(tmp_path: Path) -> None:
    """`put` is heard from any thread, changes are told in the caller's, and after the stop no thread is left."""
    told: list[int] = []

    async def scenario() -> None:
        before = set(threading.enumerate())
        async with _mosquitto(tmp_path) as broker, Heard(broker.login.address.port) as heard:
            stop = asyncio.Event()
            bus = Bus(broker.login, ALIVE, lambda _up, _reason: told.append(threading.get_ident()))
            task = asyncio.create_task(bus.run(stop))
            await eventually(lambda: told, "the broker is there")
            other = threading.Thread(target=lambda: bus.put("bongsu/v1/t/event/e", b"1", retain=False))
            other.start()
            other.join()
            await eventually(lambda: heard.newest.get("bongsu/v1/t/event/e") == b"1", "it is heard")
            stop.set()
            await task
            assert not {each.name for each in set(threading.enumerate()) - before if each.name == "apart"}
        assert set(told) == {threading.get_ident()}

    run(scenario())


def test_a_cancelled_bus_is_gone_at_once(tmp_path: Path) -> None:
    """A cancel ends the connection, its thread included."""

    async def scenario() -> None:
        states: list[bool] = []
        async with _mosquitto(tmp_path) as broker:
            bus = Bus(broker.login, ALIVE, lambda up, _reason: states.append(up))
            task = asyncio.create_task(bus.run(asyncio.Event()))
            await eventually(lambda: states == [True], "the broker is there")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()
            assert "apart" not in {thread.name for thread in threading.enumerate()}

    run(scenario())


def test_a_password_is_asked_for_by_the_embedded_broker() -> None:
    """With a user set, nobody else gets in, and the right one does."""

    async def scenario() -> None:
        address = BusAddress("127.0.0.1", 0, tls=False)
        broker = EmbeddedBroker(BusLogin(address, "monitor", Secret("봉수")))
        supervisor = Supervisor()
        supervisor.add("broker", broker.run)
        address = BusAddress("127.0.0.1", await broker.wait_ready(), tls=False)
        for login in (BusLogin(address), BusLogin(address, "monitor", Secret("wrong"))):
            with pytest.raises(BusError, match="reach broker"):
                await Bus(login, ALIVE, lambda _up, _reason: None).check()
        await Bus(BusLogin(address, "monitor", Secret("봉수")), ALIVE, lambda _up, _reason: None).check()
        await supervisor.stop(timedelta(seconds=20))

    run(scenario())


def test_an_anonymous_broker_beyond_loopback_does_not_start() -> None:
    """The child itself refuses, whatever the configuration let through."""

    async def scenario() -> None:
        broker = EmbeddedBroker(BusLogin(BusAddress("0.0.0.0", 0, tls=False)))
        with pytest.raises(BusError, match="anonymous"):
            await broker.run(asyncio.Event())

    run(scenario())


def test_a_port_in_use_is_told_with_what_to_do() -> None:
    """Another broker on the port is the likely cause, and the hint says so."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            login = BusLogin(BusAddress("127.0.0.1", other.getsockname()[1], tls=False))
            with pytest.raises(BusError, match=r"address.*in use") as caught:
                await EmbeddedBroker(login).run(asyncio.Event())
            assert "embedded = false" in caught.value.hint

    run(scenario())


# paho leaves the socket of a failed handshake to the collector; that is not ours to close.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_mqtts_is_spoken_with_certificates_of_our_own(tmp_path: Path) -> None:
    """The embedded broker under TLS lets in who trusts its CA, and a foreign CA is refused."""
    make_ca(tmp_path)
    make_ca(tmp_path, "other")
    make_certificate(tmp_path, "broker")

    async def scenario() -> None:
        cert, key = tmp_path / "broker.pem", tmp_path / "broker.key"
        address = BusAddress("localhost", 0, tls=True)
        broker = EmbeddedBroker(BusLogin(address, ca=tmp_path / "ca.pem", cert=cert, key=key))
        supervisor = Supervisor()
        supervisor.add("broker", broker.run)
        address = BusAddress("localhost", await broker.wait_ready(), tls=True)
        await Bus(BusLogin(address, ca=tmp_path / "ca.pem"), ALIVE, lambda _up, _reason: None).check()
        with pytest.raises(BusError, match="certificate"):
            await Bus(BusLogin(address, ca=tmp_path / "other.pem"), ALIVE, lambda _up, _reason: None).check()
        gc.collect()
        await supervisor.stop(timedelta(seconds=20))

    run(scenario())


def test_the_embedded_broker_dies_with_its_parent(tmp_path: Path) -> None:
    """A killed monitor leaves no broker behind that holds the port."""
    import sys

    from tests.support.process import Program
    from tests.support.waiting import until

    code = (
        "import asyncio\n"
        "from agent.broker import EmbeddedBroker\nfrom agent.bus import BusLogin\n"
        "from config.address import BusAddress\n"
        "async def main():\n"
        "    broker = EmbeddedBroker(BusLogin(BusAddress('127.0.0.1', 0, False)))\n"
        "    task = asyncio.create_task(broker.run(asyncio.Event()))\n"
        "    await broker.wait_ready()\n"
        "    print('child', broker.pid, flush=True)\n"
        "    await task\n"
        "asyncio.run(main())\n"
    )
    parent = Program([sys.executable, "-c", code], tmp_path / "log")
    parent.wait_for("child ")
    child = int(parent.text().split("child ")[1].split()[0])
    parent.kill()

    def gone() -> bool:
        shown = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True, check=False)
        return not shown.stdout.strip() or shown.stdout.startswith("Z")

    until(gone, "the broker has died")


def test_payloads_are_json_with_a_version() -> None:
    """A payload carries `v: 1` and RFC 3339 times."""
    from datetime import UTC, datetime

    from agent.payloads import payload, topic

    sent = json.loads(payload({"at": datetime(2026, 11, 22, 5, 3, 5, 120000, UTC), "value": None}))
    assert sent == {"v": 1, "at": "2026-11-22T05:03:05.120Z", "value": None}
    assert topic("site", "part", "link:a/b#+") == "bongsu/v1/site/part/link:a_b__"
