"""On which line of the file a key stands. Only a help for people: where it finds nothing, nothing is lost."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from config import names

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*[.=]")


class Lines:
    """The lines of one file's keys."""

    def __init__(self, text: str, raw: Mapping[str, Any]) -> None:
        self._lines: dict[str, int] = {}
        for key, line in _keys(text, raw):
            self._lines.setdefault(key, line)

    def of(self, key: str) -> int:
        """Return the line of a key, or of the nearest one around it, from 1; 0 when there is none."""
        words = key.split(" ")
        for end in range(len(words), 0, -1):
            if line := self._lines.get(" ".join(words[:end])):
                return line
        return 0


def _keys(text: str, raw: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    seen: Counter[str] = Counter()
    here: tuple[str, int] | None = None
    for number, line in _outside_long_strings(text):
        if header := _HEADER.match(line):
            twice = header[1] == "[["
            here = header[2], seen[header[2]] if twice else -1
            seen[header[2]] += twice
            yield _name(raw, *here), number
        elif (key := _KEY.match(line)) and here:
            yield _name(raw, *here, key[1]), number
        elif key:
            yield names.section(key[1]), number


def _name(raw: Mapping[str, Any], section: str, index: int, *keys: str) -> str:
    return names.section(section, *keys) if index < 0 else names.of_item(raw, section, index, *keys)


def _outside_long_strings(text: str) -> Iterator[tuple[int, str]]:
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not closing:
            yield number, line
        for mark in ('"""', "'''"):
            if closing in {"", mark} and line.count(mark) % 2:
                closing = "" if closing else mark
                break
