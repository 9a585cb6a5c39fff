"""Samples of several rounds, what is made of them, and the tables they are printed in."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    Attributes:
        text: its tables, as Markdown.
        samples: all that was measured, by name, a list for each round.
        failed: who did not go to the end, and why.
    """

    text: str
    samples: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


class Samples:
    """What was measured, by name, round by round. What was never measured is NaN, which is printed as a dash."""

    def __init__(self) -> None:
        self.rounds: dict[str, list[Sequence[float]]] = {}

    def add(self, name: str, *values: float) -> None:
        """Note the values of one more round."""
        self.rounds.setdefault(name, []).append(values)

    def middle(self, name: str, share: float = 0.5) -> float:
        """Return the median over the rounds of each round's percentile."""
        rounds = self.rounds.get(name)
        return statistics.median(percentile(values, share) for values in rounds) if rounds else math.nan

    def count(self, name: str) -> int:
        """How many values there are over all rounds."""
        return sum(map(len, self.rounds.get(name, ())))


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least `share` (0 to 1) of the samples do not exceed."""
    ordered = sorted(samples)
    rank = max(1, -(-len(ordered) * round(share * 1000) // 1000))
    return ordered[rank - 1]


def milliseconds(seconds: float) -> str:
    """Write seconds as milliseconds for people."""
    return _or_dash(seconds * 1000, ",.1f", " ms")


def number(value: float, form: str = ",.0f", unit: str = "") -> str:
    """Write a number for people."""
    return _or_dash(value, form, unit)


def ratio(one: float, other: float, form: str = ",.1f") -> str:
    """Write how many times the other one is."""
    return _or_dash(one / other, form, " x")


def _or_dash(value: float, form: str, unit: str) -> str:
    return "-" if math.isnan(value) else f"{value:{form}}{unit}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set rows in columns, as Markdown, so that they can be copied into README.md."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
