"""One suite over every kind of link, against the simulator's wires: what `sensors.link.Link` promises."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sensors.errors import AskError, BadAnswerError, LinkDownError, NoAnswerError, RefusedError
from sensors.exchange import ModbusLink
from sensors.link import Request
from sensors.simulator import Fault, Simulated, simulate
from tests.sensors.support import linked, one_device, pace, until

KINDS = ("tcp", "rtu+tcp", "serial")
BOTH = Request(1, 4, 1, 2)
SYNC = Request(1, 4, 1, 1)
kinds = pytest.mark.parametrize("kind", KINDS)


@contextlib.asynccontextmanager
async def wired(kind: str) -> AsyncIterator[tuple[Simulated, ModbusLink]]:
    """A simulated device and a link to it."""
    async with simulate(one_device(kind)) as simulated, linked(simulated.addresses["wire"]) as link:
        yield simulated, link


async def ask_until_right(link: ModbusLink, request: Request = BOTH) -> tuple[int, ...]:
    """Ask until there is an answer, as a poller does."""
    for _ in range(200):
        with contextlib.suppress(AskError, LinkDownError):
            return await link.ask(request, pace())
        await asyncio.sleep(0.05)
    raise AssertionError("no answer in 200 asks")


@kinds
def test_values_come_back(kind: str) -> None:
    """An ask brings the registers of the device, asked again the new ones."""

    async def scenario() -> None:
        async with wired(kind) as (simulated, link):
            assert await link.ask(BOTH, pace()) == (245, 400)
            simulated.set("rack1", "temperature", -20.5)
            assert await link.ask(BOTH, pace()) == (0xFF33, 400)
            assert link.retry_at() is None

    asyncio.run(scenario())


@kinds
def test_askers_take_turns(kind: str) -> None:
    """Twenty tasks that ask at once get their own answers."""

    async def scenario() -> None:
        async with wired(kind) as (_, link):
            singles = [Request(1, 4, 1 + n % 2, 1) for n in range(20)]
            sync = pace(sync=Request(1, 4, 1, 5))
            found = await asyncio.gather(*(link.ask(request, sync) for request in singles))
            assert found == [(245,), (400,)] * 10

    asyncio.run(scenario())


@kinds
@pytest.mark.parametrize(
    ("fault", "error", "timeout"),
    [
        (Fault.SILENT, NoAnswerError, 0.1),
        (Fault.EXCEPTION, RefusedError, 5.0),
        (Fault.WRONG_UNIT, BadAnswerError, 2.0),
        (Fault.LATE, NoAnswerError, 0.1),
    ],
)
def test_a_fault_is_an_error_and_passes(kind: str, fault: Fault, error: type[AskError], timeout: float) -> None:
    """Silence, a refusal, another unit and a late answer are an error each, never a value; afterwards all is well."""

    async def scenario() -> None:
        async with wired(kind) as (simulated, link):
            assert await link.ask(BOTH, pace()) == (245, 400)
            simulated.fault("rack1", fault)
            with pytest.raises(error) as caught:
                await link.ask(BOTH, pace(timeout=timeout))
            assert "wire" in str(caught.value) or "unit 1" in str(caught.value)
            simulated.fault("rack1", Fault.NONE)
            assert await ask_until_right(link) == (245, 400)

    asyncio.run(scenario())


@kinds
@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.CUT])
def test_garbage_is_never_a_value(kind: str, fault: Fault) -> None:
    """Garbage and cut frames raise an error of the link's tree; afterwards the right values come again."""

    async def scenario() -> None:
        async with wired(kind) as (simulated, link):
            simulated.fault("rack1", fault)
            for _ in range(3):
                with pytest.raises((AskError, LinkDownError)):
                    await link.ask(BOTH, pace(timeout=0.1))
            simulated.fault("rack1", Fault.NONE)
            assert await ask_until_right(link) == (245, 400)

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_wrong_sum_is_never_a_value(kind: str) -> None:
    """On a serial line a frame whose check sum is wrong is a bad answer."""

    async def scenario() -> None:
        async with wired(kind) as (simulated, link):
            simulated.fault("rack1", Fault.BAD_SUM)
            with pytest.raises(BadAnswerError):
                await link.ask(BOTH, pace(timeout=2.0))

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", KINDS[1:])
def test_an_echo_is_passed_over(kind: str) -> None:
    """An adapter that hears itself puts the question before the answer: the answer is still found."""

    async def scenario() -> None:
        async with wired(kind) as (simulated, link):
            simulated.fault("rack1", Fault.ECHO)
            assert await link.ask(BOTH, pace()) == (245, 400)

    asyncio.run(scenario())


@kinds
def test_an_ask_may_be_cancelled(kind: str) -> None:
    """A cancelled ask leaves the link usable, and its answer is not taken for the next one's."""

    async def scenario() -> None:
        async with wired(kind) as (simulated, link):
            simulated.fault("rack1", Fault.LATE)
            asking = asyncio.create_task(link.ask(Request(1, 4, 2, 2), pace(timeout=1.0)))
            await until(lambda: simulated.devices["rack1"].asked == 1, "the question is there")
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            simulated.fault("rack1", Fault.NONE)
            assert await ask_until_right(link) == (245, 400)

    asyncio.run(scenario())


@kinds
def test_close_twice_and_ask_again(kind: str) -> None:
    """A link may be closed twice, and the next ask opens it anew."""

    async def scenario() -> None:
        async with wired(kind) as (_, link):
            assert await link.ask(BOTH, pace()) == (245, 400)
            await link.close()
            await link.close()
            assert await ask_until_right(link) == (245, 400)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url", ["tcp://127.0.0.1:1", "rtu+tcp://127.0.0.1:1", "serial:///dev/bongsu-is-not-there?baud=9600"]
)
def test_a_wire_that_is_not_there(url: str) -> None:
    """A wire that cannot be opened is said so with a hint, and until `retry_at` at once, without trying."""

    async def scenario() -> None:
        async with linked(url) as link:
            with pytest.raises(LinkDownError) as caught:
                await link.ask(BOTH, pace())
            assert caught.value.hint
            assert link.retry_at() is not None
            with pytest.raises(LinkDownError):
                await link.ask(BOTH, pace())

    asyncio.run(scenario())


def test_a_device_that_ignores_the_sync_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that answers no read but its usual one comes back once no late answer can be owed any more."""

    async def scenario() -> None:
        async with wired("rtu+tcp") as (simulated, link):
            device = simulated.devices["rack1"]
            real = device.answer

            def deaf(message: bytes) -> bytes:
                device.fault = Fault.NONE if int.from_bytes(message[3:5], "big") == BOTH.count else Fault.SILENT
                return real(message)

            device.answer = deaf  # type: ignore[method-assign]
            with pytest.raises(AskError):
                await link.ask(Request(1, 4, 1, 3), pace(timeout=0.05))
            with pytest.raises(NoAnswerError):
                await link.ask(BOTH, pace(timeout=0.05))
            monkeypatch.setattr("sensors.exchange._LATEST", 0.0)
            assert await ask_until_right(link) == (245, 400)

    asyncio.run(scenario())
