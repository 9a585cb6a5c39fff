"""Rounds of changes and faults; after each it becomes calm, and all must be as the tree is."""

import random
import signal
import time
from collections import Counter, deque
from collections.abc import Callable

from tests.soak.churn import Hand
from tests.soak.site import Moment, Site, some

#: Moments that are remembered with what the tree was then.
_REMEMBERED = 12
#: Seconds after which a hand that is not done never will be.
_STUCK = 300.0
#: Rounds between two restores of remembered moments.
_LOOK_BACK = 5

#: Waits so many seconds for the hands, at most; whether they are done.
Over = Callable[[float], bool]
Fault = Callable[[Site, random.Random, Over], None]


class Campaign:
    """Changes a site's tree by several hands at once while its parts are killed and its line is cut.

    Args:
        site: the running site.
        seed: of every decision; how the hands meet stays the machine's.
        hands: processes at once.
        most: paths that the tree holds, about.
    """

    def __init__(self, site: Site, seed: int, *, hands: int = 3, most: int = 2500) -> None:
        self._site = site
        self._chance = random.Random(seed)
        self._hands = [Hand(site.docs, site.outside, seed * 100 + number, most) for number in range(hands)]
        self.moments: deque[Moment] = deque(maxlen=_REMEMBERED)
        self.faults: Counter[str] = Counter()
        self.rounds = 0

    def close(self) -> None:
        """End the hands."""
        for hand in self._hands:
            hand.close()

    @property
    def operations(self) -> Counter[str]:
        """What all hands did, by kind."""
        total: Counter[str] = Counter()
        for hand in self._hands:
            total.update(hand.done)
        return total

    def round(self, acts: int, fault: str | None = None) -> None:
        """So many acts of each hand, with this fault or one that chance takes, then calm and all its questions.

        Raises:
            AssertionError: something is not as it must be.
        """
        self.rounds += 1
        rate = self._chance.choice([0, 0, 400, 2000])
        fault = fault or self._chance.choice([*_FAULTS, "none", "none", "none", "none"])
        for hand in self._hands:
            hand.go(acts, rate)
        if fault in _FAULTS:
            _FAULTS[fault](self._site, self._chance, self._over)
        assert self._over(_STUCK), "a hand is stuck"
        self.faults[fault] += 1
        self.moments.append(self._site.settle())
        if self.rounds % _LOOK_BACK == 0:
            self.look_back(1)

    def _over(self, seconds: float) -> bool:
        """Wait so long for the hands, at most; whether all are done."""
        end = time.monotonic() + seconds
        return sum(hand.done_by(end) for hand in self._hands) == len(self._hands)

    def look_back(self, most: int) -> None:
        """The vault is whole, and remembered moments come back, by turns from both ends."""
        for number, moment in enumerate(some(list(self.moments), self._chance, most)):
            self._site.demand(moment, file=["room", "vault"][(number + self.rounds) % 2])
        self._site.verify(file="vault")

    def end(self) -> None:
        """The last questions: now and before, from both ends, and every record and object."""
        for file in ("room", "vault"):
            self._site.demand(self.moments[-1], file=file, now=True)
            self._site.verify(file=file)
        self.look_back(4)


def _kill(*parts: str) -> Fault:
    """Kill these, some times until the hands are done, and start them again some moments later."""

    def act(site: Site, chance: random.Random, over: Over) -> None:
        for _ in range(chance.randint(1, 4)):
            over(chance.uniform(0, 2.0))
            for part in parts:
                site.office.kill(part)
            over(chance.choice([0, 0, 1.0, 3.0]))
            site.scan_every(chance.choice(["1h", "1h", "5s"]))
            site.start(*parts)
            if over(0):
                return

    return act


def _stop(part: str) -> Fault:
    """Stop it as systemd does, and start it again."""

    def act(site: Site, chance: random.Random, over: Over) -> None:
        over(chance.uniform(0, 2.0))
        site.office.stop(part)
        over(chance.uniform(0, 1.0))
        site.start(part)

    return act


def _sleep(part: str) -> Fault:
    """It hangs for a while, as in a disk's error handling."""

    def act(site: Site, chance: random.Random, over: Over) -> None:
        over(chance.uniform(0, 1.0))
        site.office.program(part).send(signal.SIGSTOP)
        time.sleep(chance.choice([1.0, 4.0, 20.0]))
        site.office.program(part).send(signal.SIGCONT)

    return act


def _cuts(site: Site, chance: random.Random, over: Over) -> None:
    """The line is cut many times."""
    while not over(chance.uniform(0.05, 1.5)):
        site.cable.cut()
    site.cable.cut()


def _down(site: Site, chance: random.Random, over: Over) -> None:
    """The line is gone, maybe beyond the end of the changes."""
    over(chance.uniform(0, 1.0))
    site.cable.down(down=True)
    time.sleep(chance.choice([1.0, 5.0, 12.0]))
    site.cable.down(down=False)


def _stalls(site: Site, chance: random.Random, over: Over) -> None:
    """Bytes stand still, shorter and longer than silence is borne."""
    while not over(0):
        over(chance.uniform(0.1, 1.0))
        site.cable.stall(stalled=True)
        time.sleep(chance.choice([0.3, 1.0, 3.0]))
        site.cable.stall(stalled=False)


def _half_open(site: Site, chance: random.Random, over: Over) -> None:
    """A router was switched off: the connection is dead and nobody says so."""
    over(chance.uniform(0, 1.5))
    site.cable.half_open()


def _storm(site: Site, chance: random.Random, over: Over) -> None:
    """Cuts, and both ends killed at different moments."""
    for part in chance.sample(["vault", "replicator"], 2):
        over(chance.uniform(0, 1.0))
        site.cable.cut()
        site.office.kill(part)
        over(chance.uniform(0, 0.5))
        site.start(part)
        site.cable.cut()


_FAULTS: dict[str, Fault] = {
    "kill vault": _kill("vault"),
    "kill replicator": _kill("replicator"),
    "kill both": _kill("vault", "replicator"),
    "storm": _storm,
    "stop vault": _stop("vault"),
    "stop replicator": _stop("replicator"),
    "hang vault": _sleep("vault"),
    "hang replicator": _sleep("replicator"),
    "cuts": _cuts,
    "down": _down,
    "stalls": _stalls,
    "half open": _half_open,
}
