"""What is wrong with the sensors' part of a configuration, all of it at once."""

from collections import Counter
from collections.abc import Iterator

from config.address import LinkAddress, parse_link
from config.errors import Problem
from config.model import Alarm, Config
from sensors.budget import link_costs, over, slower
from sensors.errors import ProfileError
from sensors.profile import Point, Profile, is_binary
from sensors.profiles import load_profile
from sensors.rules import points_of

_BROADCAST, _LAST_UNIT = 0, 247


def problems(config: Config) -> list[Problem]:
    """Check profiles, points, limits, unit numbers and the time on each wire.

    What concerns references between sections (a device's link) is the configuration's own check; what it refuses is
    passed over here.
    """
    profiles, found = _profiles(config)
    found += _units(config)
    for alarm in config.alarm:
        found += _alarm(config, alarm, profiles)
    found += _wires(config, profiles)
    return found


def _profiles(config: Config) -> tuple[dict[str, Profile], list[Problem]]:
    profiles: dict[str, Profile] = {}
    found = []
    for device in config.device:
        try:
            profiles[device.profile] = load_profile(device.profile)
        except ProfileError as error:
            found.append(Problem(f'[[device]] "{device.id}" profile', str(error), error.hint))
    return profiles, found


def _units(config: Config) -> list[Problem]:
    found = []
    places = Counter((device.link, device.unit) for device in config.device)
    for device in config.device:
        key = f'[[device]] "{device.id}" unit'
        address = _address(config, device.link)
        wired = address is not None and address.kind != "tcp"
        if wired and not _BROADCAST < device.unit <= _LAST_UNIT:
            text = f"unit {device.unit} is not an address of a device on a serial line"
            found.append(Problem(key, text, f"write 1 to {_LAST_UNIT}"))
        if places[device.link, device.unit] > 1 and wired:
            text = f"unit {device.unit} is there twice on link {device.link}: both would answer at once"
            found.append(Problem(key, text, "give each device a unit of its own"))
    return found


def _alarm(config: Config, alarm: Alarm, profiles: dict[str, Profile]) -> Iterator[Problem]:
    devices = {device.id: device.profile for device in config.device}
    for name in points_of(alarm):
        device, _, point_name = name.partition(".")
        if device not in devices or devices[device] not in profiles:
            continue
        profile = profiles[devices[device]]
        point = profile.find(point_name)
        if point is None:
            known = ", ".join(p.name for p in profile.point)
            text = f"{profile.id} has no point {point_name!r}"
            yield Problem(f'[[alarm]] "{alarm.id}" point', text, f"its points: {known}")
        else:
            yield from _limits(alarm, name, point)


def _limits(alarm: Alarm, name: str, point: Point) -> Iterator[Problem]:
    numbers = {"above": alarm.above, "below": alarm.below, "rises": alarm.rises}
    for key, value in numbers.items():
        if value is not None and is_binary(point):
            hint = "write is = true or is = false"
            yield Problem(f'[[alarm]] "{alarm.id}" {key}', f"{name} is yes or no, it has no height", hint)
    if alarm.is_ is not None and isinstance(alarm.is_, bool) != is_binary(point):
        wanted = "is = true or is = false" if is_binary(point) else "above, below, or is with a number"
        kind = "yes or no" if is_binary(point) else "a number"
        yield Problem(f'[[alarm]] "{alarm.id}" is', f"{name} is {kind}, {alarm.is_!r} never fits", f"write {wanted}")
    if isinstance(alarm.is_, str):
        yield Problem(f'[[alarm]] "{alarm.id}" is', f"{name} has no texts to compare with", "write a number or true")
    if point.range is not None:
        yield from _reachable(alarm, name, point, point.range)


def _reachable(alarm: Alarm, name: str, point: Point, believable: tuple[float, float]) -> Iterator[Problem]:
    low, high = believable
    for key, limit, out in (
        ("above", alarm.above, alarm.above is not None and alarm.above >= high),
        ("below", alarm.below, alarm.below is not None and alarm.below <= low),
    ):
        if out:
            text = f"{name} never gets past {limit:g}{point.unit}: its profile believes {low:g} to {high:g}{point.unit}"
            yield Problem(f'[[alarm]] "{alarm.id}" {key}', text, "choose a limit inside")


def _wires(config: Config, profiles: dict[str, Profile]) -> Iterator[Problem]:
    for link in config.link:
        if _address(config, link.id) is None:
            continue
        costs = link_costs(config, link, profiles)
        text = over(costs)
        if text is not None:
            yield Problem(f'[[link]] "{link.id}"', text, slower(costs))


def _address(config: Config, name: str) -> LinkAddress | None:
    try:
        return next((parse_link(link.url) for link in config.link if link.id == name), None)
    except ValueError:
        return None
