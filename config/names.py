"""How the keys of the file are called in front of people."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

#: Sections that are written with two brackets and may stand many times.
LISTS = ("link", "device", "alarm", "contact", "channel", "route", "source")


def section(name: str, *keys: str) -> str:
    """`[site] state`."""
    return " ".join((f"[{name}]", *keys))


def item(name: str, id_: str, *keys: str) -> str:
    """`[[alarm]] "rack1-hot" point`."""
    return " ".join((f"[[{name}]]", f'"{id_}"', *keys))


def numbered(name: str, number: int, *keys: str) -> str:
    """`[[route]] #1 steps`, counted from 1."""
    return " ".join((f"[[{name}]]", f"#{number}", *keys))


def is_table(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Tell whether it is a table of the file."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Tell whether it is a list of the file."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def of_item(raw: Mapping[str, Any], name: str, index: int, *keys: str) -> str:
    """Name the item at this index (from 0) by its id where it has one, by its number where it has none."""
    items = raw.get(name)
    entry = items[index] if is_list(items) and index < len(items) else None
    id_ = entry.get("id") if is_table(entry) else None
    return item(name, id_, *keys) if isinstance(id_, str) and id_ else numbered(name, index + 1, *keys)
