"""What a plan costs on the wire: seconds for each device, and whether all of it fits. Pure."""

import msgspec

from config.address import LinkAddress, parse_link
from config.model import Config, Device, Link
from sensors.exchange import character_time, silent_interval
from sensors.plan import plan
from sensors.profile import Profile

#: Bytes of a read request on RTU, and of an answer beside its values (Serial Line 1.02, 2.5.1).
_QUESTION, _FRAME = 8, 5
#: A round trip in a local network; what the device thinks comes on top.
_ROUND_TRIP = 0.001
_FULL = 1.0


class Cost(msgspec.Struct, frozen=True):
    """What one device costs on its link.

    Attributes:
        device: its id.
        requests: reads a round.
        seconds: of the wire for one round.
        share: of the wire's time, 1.0 is all of it.
    """

    device: str
    requests: int
    seconds: float
    share: float


def device_cost(device: Device, profile: Profile, address: LinkAddress) -> Cost:
    """Seconds on the wire: characters, t3.5 after question and answer, the device's thinking and its pause."""
    wired = address.kind != "tcp"
    character = character_time(address) if wired else 0.0
    gap = silent_interval(address) if wired else 0.0
    travel = 0.0 if address.kind == "serial" else _ROUND_TRIP
    blocks = plan(profile, device.unit)
    seconds = sum(
        character * (_QUESTION + _FRAME + block.request.payload)
        + gap
        + max(gap, profile.timing.pause_ms / 1000)
        + profile.timing.answer_ms / 1000
        + travel
        for block in blocks
    )
    return Cost(device.id, len(blocks), seconds, seconds / device.every.total_seconds())


def link_costs(config: Config, link: Link, profiles: dict[str, Profile]) -> list[Cost]:
    """The costs of a link's devices, the dearest first; devices without a known profile are left out."""
    address = parse_link(link.url)
    devices = [device for device in config.device if device.link == link.id and device.profile in profiles]
    costs = [device_cost(device, profiles[device.profile], address) for device in devices]
    return sorted(costs, key=lambda cost: -cost.share)


def over(costs: list[Cost]) -> str | None:
    """What to say of a plan that does not fit: by how much, and who takes most; None when it fits."""
    load = sum(cost.share for cost in costs)
    if load <= _FULL:
        return None
    first = costs[0]
    return (
        f"its devices need {load:.0%} of the wire's time, {load - _FULL:.0%} more than there is; "
        f"{first.device} takes {first.seconds * 1000:.0f} ms a round ({first.share:.0%})"
    )


def slower(costs: list[Cost]) -> str:
    """The hint for it."""
    load = sum(cost.share for cost in costs)
    return f'ask every device {load:.1f} times more rarely ("every"), raise the baud, or use a second link'
