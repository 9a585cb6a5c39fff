"""The whole room against simulated devices on real wires."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sensors.poller import Poller
from sensors.reading import Quality
from sensors.simulator import Fault, Scenario, Simulated, parse_scenario, simulate
from tests.sensors.support import Watched, make_config, one_device, until, watching

Stage = tuple[Simulated, Watched]
HOT = '[[alarm]]\nid = "hot"\npoint = "rack1.temperature"\nabove = 32.0\ndeadband = 1.0\n'


def quick(text: str) -> str:
    """The configuration with devices asked ten times a second."""
    return text.replace('every = "1s"', 'every = "100ms"').replace("url = ", 'timeout = "150ms"\nurl = ')


@contextlib.asynccontextmanager
async def room(scene: Scenario, state: Path, more: str = "", timeout: str = "150ms") -> AsyncIterator[Stage]:
    """A simulated wire and a room that watches it."""
    async with simulate(scene) as simulated:
        config = make_config(quick(simulated.config_text()).replace("150ms", timeout) + more)
        async with watching(config, state) as seen:
            yield simulated, seen


def rack(count: int, kind: str = "rtu+tcp") -> Scenario:
    """One wire with so many sensors, `d1` and on."""
    device = '[[device]]\nid = "d{0}"\nlink = "wire"\nprofile = "xy-md02"\nunit = {0}\n'
    text = f'name = "rack"\n[[link]]\nid = "wire"\nkind = "{kind}"\n'
    return parse_scenario(text + "".join(device.format(n) for n in range(1, count + 1)))


@pytest.mark.parametrize("kind", ["tcp", "rtu+tcp", "serial"])
def test_a_value_becomes_an_alarm_and_clears(kind: str, tmp_path: Path) -> None:
    """Past the limit the alarm is told with value and limit, back inside it is cleared, on every kind of wire."""

    async def scenario() -> None:
        async with simulate(one_device(kind)) as simulated:
            config = make_config(quick(simulated.config_text()) + HOT)
            async with watching(config, tmp_path) as seen:
                await until(lambda: seen.value("rack1.temperature") == 24.5, "a first reading")
                simulated.set("rack1", "temperature", 35.2)
                await until(lambda: "hot" in seen.active(), "the alarm is told")
                raised = next(c for c in seen.conditions if c.alarm == "hot" and c.active)
                assert (raised.value, raised.limit) == ("35.2°C", "32°C 초과")
                simulated.set("rack1", "temperature", 24.0)
                await until(lambda: "hot" not in seen.active(), "the alarm is cleared")
                assert seen.told("hot") == 1

    asyncio.run(scenario())


def test_a_lost_device_is_a_gap_and_its_alarm_holds(tmp_path: Path) -> None:
    """A device that falls silent: no sample, a lost reading without a value, one alarm; its own alarm stays up."""

    async def scenario() -> None:
        async with simulate(rack(2)) as simulated:
            simulated.set("d1", "temperature", 40.0)
            config = make_config(quick(simulated.config_text()) + HOT.replace("rack1", "d1"))
            async with watching(config, tmp_path) as seen:
                await until(lambda: seen.sample("bongsu_temperature_celsius", "d1") == 40.0, "a sample")
                assert seen.sample("bongsu_point_up", "d1") == 1
                assert seen.sample("bongsu_humidity_ratio", "d1", "humidity") == 0.0
                simulated.fault("d1", Fault.SILENT)
                await until(lambda: "lost:d1" in seen.active(), "the loss is told")
                assert seen.sample("bongsu_temperature_celsius", "d1") is None
                assert seen.sample("bongsu_point_up", "d1") == 0
                newest = {r.name: r for r in seen.room.readings()}["d1.temperature"]
                assert (newest.value, newest.quality) == (None, Quality.LOST)
                assert newest.reason
                assert "device:d1" in [p.name for p in seen.room.parts() if not p.up]
                assert {"hot", "lost:d1"} <= seen.active()
                simulated.fault("d1", Fault.NONE)
                await until(lambda: "lost:d1" not in seen.active(), "the return is told")
                assert seen.sample("bongsu_temperature_celsius", "d1") == 40.0
                assert seen.told("hot") == 1
                assert seen.told("hot", active=False) == 0

    asyncio.run(scenario())


def test_a_dead_and_a_late_device_delay_nobody(tmp_path: Path) -> None:
    """With one of eight devices dead and one always late the others are still asked, and none shows another's value."""

    async def scenario() -> None:
        async with simulate(rack(8)) as simulated:
            for n in range(1, 9):
                simulated.set(f"d{n}", "temperature", 20.0 + n)
            simulated.fault("d3", Fault.SILENT)
            simulated.fault("d5", Fault.LATE)
            async with watching(make_config(quick(simulated.config_text())), tmp_path) as seen:
                await until(lambda: {"lost:d3", "lost:d5"} <= seen.active(), "the two are told")
                before = len(seen.readings)
                healthy = {f"d{n}.temperature" for n in (1, 2, 4, 6, 7, 8)}

                def counts() -> dict[str, int]:
                    names = [r.name for r in seen.readings[before:] if r.quality is Quality.GOOD]
                    return {name: names.count(name) for name in healthy}

                await until(lambda: min(counts().values()) >= 20, "each of the others twenty times more")
                for each in seen.readings:
                    if each.point == "temperature" and each.quality is Quality.GOOD:
                        assert each.value == 20.0 + int(each.device[1:])
                asks = {n: simulated.devices[f"d{n}"].asked for n in (1, 3)}
                assert asks[3] < asks[1] / 2

    asyncio.run(scenario())


def test_a_wire_that_is_cut_is_one_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody on a wire answers there is one alarm for the link and none for its devices; it comes back."""
    monkeypatch.setattr("sensors.silence.GRACE", 600.0)

    async def scenario() -> None:
        async with simulate(rack(3)) as simulated:
            wire = simulated.wires["wire"]
            async with watching(
                make_config(quick(simulated.config_text()).replace("150ms", "300ms")), tmp_path
            ) as seen:
                await until(lambda: len(seen.room.readings()) == 6, "all are read")
                for device in simulated.devices.values():
                    device.fault = Fault.SILENT
                await until(lambda: "link:wire" in seen.active(), "the link's silence is told")
                assert seen.active() == {"link:wire"}
                assert not any(seen.told(f"lost:d{n}") for n in (1, 2, 3))
                wire.hang_up()
                for device in simulated.devices.values():
                    device.fault = Fault.NONE
                await until(lambda: not seen.active(), "the return is told")

    asyncio.run(scenario())


def test_a_flaw_in_one_device_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose code raises is set aside, told with the reason, and comes back; its neighbour never stops."""
    monkeypatch.setattr("sensors.poller.ASIDE", 0.5)

    async def scenario() -> None:
        async with room(rack(2), tmp_path) as (simulated, seen):
            await until(lambda: len(seen.room.readings()) == 4, "all are read")
            poller: Poller = seen.room._pollers[0]
            device = poller._devices["d1"]
            real = device.read

            async def flawed() -> None:
                raise ZeroDivisionError("a flaw")

            monkeypatch.setattr(device, "read", flawed)
            await until(lambda: "lost:d1" in seen.active(), "the flaw is told")
            told = next(c for c in seen.conditions if c.alarm == "lost:d1" and c.active)
            assert "a flaw" in told.reason
            simulated.set("d2", "temperature", 31.0)
            await until(lambda: seen.value("d2.temperature") == 31.0, "the neighbour goes on")
            monkeypatch.setattr(device, "read", real)
            await until(lambda: "lost:d1" not in seen.active(), "it comes back")

    asyncio.run(scenario())


def test_a_condition_that_was_refused_arrives(tmp_path: Path) -> None:
    """While the desk's disk is full nothing is forgotten: the alarm arrives once it can be taken, and that is shown."""

    async def scenario() -> None:
        async with room(one_device("tcp"), tmp_path, HOT) as (simulated, seen):
            await until(lambda: seen.told("hot", active=False), "the calm is told")
            seen.refuse = True
            simulated.set("rack1", "temperature", 40.0)
            await until(lambda: any(p.name == "rules" and not p.up for p in seen.room.parts()), "it is shown")
            seen.refuse = False
            await until(lambda: "hot" in seen.active(), "the alarm arrives")
            await until(lambda: all(p.up for p in seen.room.parts()), "all is well again")

    asyncio.run(scenario())


def test_an_onlooker_that_raises_stops_nothing(tmp_path: Path) -> None:
    """Whoever takes readings may fail: alarms go on."""

    async def scenario() -> None:
        async with room(one_device("tcp"), tmp_path, HOT) as (simulated, seen):
            seen.room._on_reading = lambda _: 1 / 0  # type: ignore[assignment]
            simulated.set("rack1", "temperature", 40.0)
            await until(lambda: "hot" in seen.active(), "the alarm is told")

    asyncio.run(scenario())


def test_a_restart_goes_on(tmp_path: Path) -> None:
    """A room that is started anew tells what was up as up, and does not clear what it cannot read."""

    async def scenario() -> None:
        async with simulate(one_device("tcp")) as simulated:
            simulated.set("rack1", "temperature", 40.0)
            config = make_config(quick(simulated.config_text()) + HOT)
            async with watching(config, tmp_path) as seen:
                await until(lambda: "hot" in seen.active(), "the alarm is told")
            simulated.fault("rack1", Fault.SILENT)
            async with watching(config, tmp_path) as seen:
                await until(lambda: "lost:rack1" in seen.active(), "the loss is told")
                assert seen.active() == {"hot", "lost:rack1"}
                assert seen.told("hot", active=False) == 0

    asyncio.run(scenario())


def test_a_refused_address_is_told(tmp_path: Path) -> None:
    """A device that answers with exceptions only is lost with the reason that it gave."""

    async def scenario() -> None:
        async with simulate(one_device("tcp")) as simulated:
            simulated.fault("rack1", Fault.EXCEPTION)
            async with watching(make_config(quick(simulated.config_text())), tmp_path) as seen:
                await until(lambda: "lost:rack1" in seen.active(), "it is told")
                told = next(c for c in seen.conditions if c.alarm == "lost:rack1" and c.active)
                assert "device busy" in told.reason
                failed = {"device": "rack1", "reason": "refused"}
                assert (seen.registry.get_sample_value("bongsu_asks_failed_total", failed) or 0) >= 3

    asyncio.run(scenario())


def test_a_cable_break_makes_the_leak_point_bad(tmp_path: Path) -> None:
    """A leak detector with a broken cable cannot say dry: bad, with the reason. That it says wet is believed."""

    async def scenario() -> None:
        async with room(one_device("tcp", profile="rle-ld2000", start="cable_break = true"), tmp_path) as (
            simulated,
            seen,
        ):
            await until(lambda: seen.readings, "a reading")
            leak = next(r for r in seen.readings if r.point == "leak")
            assert (leak.value, leak.quality) == (None, Quality.BAD)
            assert "cable_break" in leak.reason
            assert seen.sample("bongsu_fault", point="cable_break") == 1
            assert seen.sample("bongsu_leak", point="leak") is None
            simulated.set("rack1", "leak", True)
            await until(lambda: seen.value("rack1.leak") is True, "wet is believed")

    asyncio.run(scenario())
