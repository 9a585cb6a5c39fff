"""What the cross references are checked against."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import names
from config.errors import Problem
from config.guess import did_you_mean
from config.model import Config


@dataclass(frozen=True)
class Facts:
    """A configuration, and the file that it was made from.

    Attributes:
        config: what is right in itself.
        raw: the whole file, wrong parts too: a reference to a wrong item is not an unknown one.
        left: the tables that `config` was made from; their items are those of `raw`.
        part: the daemon that is to run from it, or None for all.
    """

    config: Config
    raw: Mapping[str, Any]
    left: Mapping[str, Any]
    part: str | None = None

    def key(self, section: str, index: int, *keys: str) -> str:
        """Name a key of the item at this index of `config`."""
        entry = self.left[section][index]
        there = next((at for at, other in enumerate(self.raw[section]) if other is entry), index)
        return names.of_item(self.raw, section, there, *keys)

    def ids(self, section: str) -> list[str]:
        """List the ids that a section of the file has, twice those that stand there twice."""
        entries = self.raw.get(section)
        found = [entry.get("id") for entry in entries if names.is_table(entry)] if names.is_list(entries) else []
        return [id_ for id_ in found if isinstance(id_, str)]

    def unknown(self, key: str, section: str, id_: str) -> list[Problem]:
        """Return the problem of a reference to an id that is not there; none when it is."""
        known = self.ids(section)
        return [] if id_ in known else [Problem(key, f'unknown {section} "{id_}"', did_you_mean(id_, known))]

    def runs(self, part: str) -> bool:
        """Tell whether files that this part reads must be there: those of another host's part cannot be."""
        return self.part is None or self.part == part


def readable(key: str, path: Path | None) -> list[Problem]:
    """Return the problem of a file that cannot be read; none when it can, or when no file is named."""
    if path is None:
        return []
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        return [Problem(key, f"{path} cannot be read: {cause}", "make it, or correct the path or its rights")]
    return []
