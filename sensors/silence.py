"""Which silence is told as what: a device's, or the whole link's. Pure."""

import msgspec

from sensors.health import Health

#: A lost device waits so long for a sign that its neighbours still answer, or that the whole link is gone.
GRACE = 10.0


class Verdict(msgspec.Struct, frozen=True):
    """What holds for one of the automatic alarms."""

    alarm: str
    active: bool
    subject: str
    reason: str
    #: It answers, but what it says cannot be used.
    answers: bool = False


def verdicts(link: str, healths: dict[str, Health], down: str | None, now: float) -> list[Verdict]:
    """Decide `lost:DEVICE` and `link:LINK`; what is not among the verdicts keeps its state.

    Args:
        link: the link's id.
        healths: of each of its devices.
        down: why the link itself is down, or None.
        now: steady seconds.
    """
    lost = {name for name, health in healths.items() if health.lost}
    gone = {name for name in lost if healths[name].all_lost}
    everyone = len(healths) > 1 and len(gone) == len(healths)
    if (down is not None and gone) or everyone:
        reason = down or "none of its devices answers"
        return [Verdict(f"link:{link}", active=True, subject=link, reason=reason)]
    found = [_device(name, health, healths, now) for name, health in healths.items()]
    told = [verdict for verdict in found if verdict is not None]
    if down is None and any(health.known for health in healths.values()):
        told.append(Verdict(f"link:{link}", active=False, subject=link, reason="it answers"))
    return told


def _device(name: str, health: Health, healths: dict[str, Health], now: float) -> Verdict | None:
    if not health.known:
        return None
    if not health.lost:
        return Verdict(f"lost:{name}", active=False, subject=name, reason="it answers")
    if health.aside_until is None and health.all_lost and not _alone(name, health, healths, now):
        return None
    part = "" if health.all_lost else f" ({', '.join(sorted(health.lost))})"
    return Verdict(
        f"lost:{name}", active=True, subject=name, reason=f"{health.reason}{part}", answers=not health.failures
    )


def _alone(name: str, health: Health, healths: dict[str, Health], now: float) -> bool:
    """Whether this device is silent by itself: a neighbour has answered since, or waiting longer tells nothing more."""
    others = [other for key, other in healths.items() if key != name]
    since = health.failing_since
    heard = since is None or any(other.answered_at is not None and other.answered_at > since for other in others)
    waited = health.lost_at is not None and now - health.lost_at >= GRACE
    return not others or heard or waited
