"""What becomes of a notification after a failed try: pure, with the time passed in."""

from datetime import datetime, timedelta

import msgspec

FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(seconds=60)
ROUNDS = 10  # rounds through all channels with growing pauses, about five minutes
ASIDE = timedelta(minutes=5)  # the pause after that: a cut line of an hour must not lose the alarm
PATIENCE = timedelta(hours=24)  # then it is given up


class Tries(msgspec.Struct, frozen=True, kw_only=True):
    """How far a notification is with its channels.

    Attributes:
        channels: in order of preference.
        dropped: those that can never take this one.
        channel: the one to try now, or tried last.
        rounds: how often all of them were tried in vain.
    """

    channels: tuple[str, ...]
    dropped: tuple[str, ...] = ()
    channel: str
    rounds: int = 0


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried next.

    Attributes:
        tries: as they stand now.
        pause: how long to wait; none when it is given up.
        reason: why.
    """

    tries: Tries
    pause: timedelta | None
    reason: str


def pause(rounds: int) -> timedelta:
    """Return the pause after so many rounds in vain: 2 s, 4 s, 8 s … 60 s, then five minutes."""
    if rounds >= ROUNDS:
        return ASIDE
    return min(FIRST_PAUSE * (1 << max(0, rounds - 1)), LONGEST_PAUSE)


def fallback(tries: Tries) -> bool:
    """Tell whether another channel follows in this round."""
    return bool(_later(tries))


def _later(tries: Tries) -> list[str]:
    place = tries.channels.index(tries.channel) if tries.channel in tries.channels else len(tries.channels)
    return [channel for channel in tries.channels[place + 1 :] if channel not in tries.dropped]


def after_failure(tries: Tries, *, permanent: bool, created: datetime, now: datetime, once: bool, why: str) -> Next:
    """Decide: the next channel at once; else all of them again after a pause; else give up.

    Args:
        tries: how far it is.
        permanent: whether the channel tried last can never take it.
        created: when the notification was made.
        now: the time.
        once: whether it is a test, which nobody wants to be tried again.
        why: the last failure in one word.
    """
    if permanent:
        tries = Tries(
            channels=tries.channels,
            dropped=(*tries.dropped, tries.channel),
            channel=tries.channel,
            rounds=tries.rounds,
        )
    if later := _later(tries):
        return Next(tries=_to(tries, later[0], 0), pause=timedelta(0), reason=f"{why}: {later[0]} is tried instead")
    left = [channel for channel in tries.channels if channel not in tries.dropped]
    if once or not left:
        return Next(tries=tries, pause=None, reason=f"given up: {why}")
    if now - created >= PATIENCE:
        return Next(tries=tries, pause=None, reason=f"given up after {PATIENCE.days * 24} h: {why}")
    wait = pause(tries.rounds + 1)
    return Next(tries=_to(tries, left[0], 1), pause=wait, reason=f"{why}: again in {wait.total_seconds():g} s")


def _to(tries: Tries, channel: str, more: int) -> Tries:
    return Tries(channels=tries.channels, dropped=tries.dropped, channel=channel, rounds=tries.rounds + more)
