"""Tries every link and device once: what `bongsu check --connect` shows."""

import asyncio

import msgspec

from config.address import parse_link
from config.model import Config, Link
from sensors.clock import Clock
from sensors.device import ModbusDevice
from sensors.errors import SensorError
from sensors.exchange import open_link
from sensors.profiles import load_profile


class Trial(msgspec.Struct, frozen=True):
    """What came of trying one device: the values it gave, or why there are none and what to do."""

    name: str
    ok: bool
    text: str
    hint: str = ""


async def try_links(config: Config) -> list[Trial]:
    """Open each link and read each device once, links side by side, in the configuration's order."""
    tried = await asyncio.gather(*(_try_link(config, link) for link in config.link))
    return [trial for trials in tried for trial in trials]


async def _try_link(config: Config, settings: Link) -> list[Trial]:
    try:
        link = open_link(settings.id, parse_link(settings.url))
    except ValueError as error:
        return [Trial(f"link:{settings.id}", ok=False, text=str(error))]
    trials = []
    try:
        for device in config.device:
            if device.link == settings.id:
                clock, timeout = Clock(), settings.timeout.total_seconds()
                try:
                    profile = load_profile(device.profile)
                    trials.append(await _try_device(ModbusDevice(device, profile, link, timeout=timeout, clock=clock)))
                except SensorError as error:
                    trials.append(Trial(f"device:{device.id}", ok=False, text=str(error), hint=error.hint))
    finally:
        await link.close()
    return trials


async def _try_device(device: ModbusDevice) -> Trial:
    asked = await device.read()
    for each in asked:
        if each.error is not None:
            return Trial(f"device:{device.id}", ok=False, text=str(each.error), hint=each.error.hint)
    readings = [reading for each in asked for reading in each.readings]
    bad = [f"{reading.point}: {reading.reason}" for reading in readings if reading.value is None]
    if bad:
        return Trial(f"device:{device.id}", ok=False, text="; ".join(bad), hint="is it the right profile?")
    values = ", ".join(f"{reading.point} {_say(reading.value)}{reading.unit}" for reading in readings)
    return Trial(f"device:{device.id}", ok=True, text=values)


def _say(value: float | bool | None) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.6g}"
