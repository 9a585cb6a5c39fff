"""`profiles` and `simulate`: what devices there are, and devices that are not there."""

from agent.commands.common import say
from agent.table import table
from agent.words import word
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
    points = [(each.name, each.quantity, each.unit, each.function, each.ref, each.pdu) for each in profile.point]
    say(table([word("point"), "QUANTITY", "UNIT", "FUNCTION", "REF", "PDU"], points))
    return 0


def simulate(scenario: str, listen: str) -> int:
    """Play a scenario until Ctrl-C."""
    from sensors.simulator import main_run

    main_run(scenario, listen)
    return 0
