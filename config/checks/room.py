"""Links, devices and alarms."""

from collections import Counter
from collections.abc import Iterator

from config.address import LinkAddress, parse_link
from config.errors import Problem
from config.facts import Facts
from config.model import Alarm

_HIGHEST_SERIAL_UNIT = 247
_TESTS = ("above", "below", "is", "rises")


def problems(facts: Facts) -> Iterator[Problem]:
    """Find what does not fit together in the room."""
    yield from _shared_wires(facts)
    for index, device in enumerate(facts.config.device):
        yield from facts.unknown(facts.key("device", index, "link"), "link", device.link)
        yield from _unit(facts, index)
    for index, alarm in enumerate(facts.config.alarm):
        yield from _points(facts, index, alarm)
        yield from _test(facts, index, alarm)


def notices(facts: Facts) -> Iterator[Problem]:
    """Find what works, and is probably not what was meant."""
    seen: Counter[tuple[str, int]] = Counter()
    for index, device in enumerate(facts.config.device):
        seen[device.link, device.unit] += 1
        if seen[device.link, device.unit] > 1:
            text = f"unit {device.unit} stands on link {device.link} already"
            yield Problem(facts.key("device", index, "unit"), text, "two devices that answer at once garble each other")
    used = {device.link for device in facts.config.device}
    for index, link in enumerate(facts.config.link):
        if link.id not in used:
            yield Problem(facts.key("link", index), "no device is on it", "take it out, or add its devices")


def _address(facts: Facts, id_: str) -> LinkAddress | None:
    return next((parse_link(link.url) for link in facts.config.link if link.id == id_), None)


def _shared_wires(facts: Facts) -> Iterator[Problem]:
    """A serial line and a gateway carry one question at a time: two links on one would mix their answers."""
    seen: dict[tuple[str, str, int], str] = {}
    for index, link in enumerate(facts.config.link):
        address = parse_link(link.url)
        if address.kind == "tcp":
            continue
        wire = (str(address.device), address.host, address.port)
        if wire in seen:
            text = f'it is the wire of link "{seen[wire]}"'
            yield Problem(facts.key("link", index, "url"), text, "put the devices of both on one link: they take turns")
        seen.setdefault(wire, link.id)


def _unit(facts: Facts, index: int) -> Iterator[Problem]:
    device = facts.config.device[index]
    address = _address(facts, device.link)
    if address and address.kind != "tcp" and not 1 <= device.unit <= _HIGHEST_SERIAL_UNIT:
        text = f"{device.unit} is no unit of a serial line"
        yield Problem(facts.key("device", index, "unit"), text, "1 to 247; 0 would speak to all at once")


def _points(facts: Facts, index: int, alarm: Alarm) -> Iterator[Problem]:
    for name in ("points", "votes"):
        if getattr(alarm, name) is not None:
            hint = "write one alarm with a point = ... for each"
            yield Problem(facts.key("alarm", index, name), f"{name} is not available yet", hint)
    if alarm.point is None and alarm.points is None:
        yield Problem(facts.key("alarm", index, "point"), "it is missing", 'write point = "DEVICE.POINT"')
    if alarm.point is not None and alarm.points is not None:
        yield Problem(facts.key("alarm", index, "points"), "there is a point already", "keep one of the two")
    for name, points in (("point", [alarm.point] if alarm.point is not None else []), ("points", alarm.points or [])):
        for point in points:
            yield from _point(facts, facts.key("alarm", index, name), point)


def _point(facts: Facts, key: str, point: str) -> Iterator[Problem]:
    device, _, quantity = point.partition(".")
    if not device or not quantity:
        yield Problem(key, f'"{point}" is not a point', 'write "DEVICE.POINT" like "rack1.temperature"')
    else:
        yield from facts.unknown(key, "device", device)


def _test(facts: Facts, index: int, alarm: Alarm) -> Iterator[Problem]:
    values = (alarm.above, alarm.below, alarm.is_, alarm.rises)
    given = [name for name, value in zip(_TESTS, values, strict=True) if value is not None]
    if not given:
        yield Problem(facts.key("alarm", index), "it says no limit", "write one of above, below or is")
    for name in given[1:]:
        text = f"there is {given[0]} already"
        yield Problem(facts.key("alarm", index, name), text, "keep one; write a second alarm for the other")
    if alarm.rises is not None:
        text = "rises is not available yet"
        yield Problem(facts.key("alarm", index, "rises"), text, "write above = ... for now")
    if alarm.is_ is not None and alarm.deadband:
        text = "a point that is so or not has no deadband"
        yield Problem(facts.key("alarm", index, "deadband"), text, "take it out; on_delay and off_delay keep it quiet")
