"""`profiles` and `simulate`: what devices there are, and devices that are not there."""

from agent.commands.common import say
from agent.table import table
from agent.words import word
from sensors.profile import Point, Profile, is_binary
from sensors.profiles import load_profile, names


def profiles(name: str | None) -> int:
    """List the shipped profiles, or show one with its sources."""
    if name is None:
        rows = []
        for each in names():
            profile = load_profile(each)
            rows.append([each, profile.name, profile.level, ", ".join(point.name for point in profile.point)])
        say(table([word("device"), word("name"), word("state"), word("point")], rows))
        return 0
    profile = load_profile(name)
    say(f"{name}: {profile.name}")
    say(f"source: {profile.source}")
    say(f"verified: {profile.level}")
    for head, text in (("line", profile.line), ("note", profile.note), ("look-alikes", ", ".join(_alike(profile)))):
        if text:
            say(f"{head}: {text}")
    points = [
        (each.name, each.quantity, each.unit, _range(each), each.function, each.ref, each.pdu) for each in profile.point
    ]
    say(table([word("point"), "QUANTITY", "UNIT", "RANGE", "FUNCTION", "REF", "PDU"], points))
    return 0


def _range(point: Point) -> str:
    return f"{point.range[0]:g} to {point.range[1]:g}" if point.range is not None else "yes or no"


def _alike(profile: Profile) -> list[str]:
    """Return the profiles that one could mistake this one for: the same points by the same line settings."""
    others = [load_profile(name) for name in names() if name != profile.id]
    return [other.id for other in others if other.line == profile.line and _measured(other) & _measured(profile)]


def _measured(profile: Profile) -> set[str]:
    """Return what a profile measures, by register where that is a contact like any other."""
    return {f"{point.function}/{point.pdu}" if is_binary(point) else point.quantity for point in profile.point}


def simulate(scenario: str, listen: str) -> int:
    """Play a scenario until Ctrl-C."""
    from sensors.simulator import main_run

    main_run(scenario, listen)
    return 0
