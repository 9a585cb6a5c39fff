"""Percentiles of samples, and the tables they are printed in."""

import statistics
from collections.abc import Sequence


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least `share` (0 to 1) of the samples do not exceed."""
    ordered = sorted(samples)
    rank = max(1, -(-len(ordered) * round(share * 1000) // 1000))
    return ordered[rank - 1]


def median_of_rounds(rounds: Sequence[Sequence[float]], share: float) -> float:
    """Return the median over the rounds of each round's percentile."""
    return statistics.median(percentile(samples, share) for samples in rounds)


def milliseconds(seconds: float) -> str:
    """Write seconds as milliseconds for people."""
    return f"{seconds * 1000:,.1f} ms"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set rows in columns, as Markdown, so that they can be copied into README.md."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
