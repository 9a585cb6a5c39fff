"""Plain tables for a terminal or a pipe: Hangul is two columns wide."""

import unicodedata
from collections.abc import Sequence


def width(text: str) -> int:
    """Return how many columns a terminal needs for a text."""
    return sum(
        2 if unicodedata.east_asian_width(sign) in "WF" else 0 if unicodedata.combining(sign) else 1 for sign in text
    )


def safe(value: object) -> str:
    """Return a text without what would move a terminal's cursor: a file name may hold anything."""
    return "".join(
        sign if sign.isprintable() or "\udc80" <= sign <= "\udcff" else repr(sign)[1:-1] for sign in str(value)
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay rows out in columns below their heads; nothing is cut."""
    lines = [list(head), *([safe(cell) for cell in row] for row in rows)]
    widths = [max(width(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell + " " * (size - width(cell)) for cell, size in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _columns(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def _is_byte(sign: str) -> bool:
    """Tell whether it stands for a byte of a name that is no UTF-8."""
    return "\udc80" <= sign <= "\udcff"
