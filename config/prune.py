"""What is left of a file without its wrong parts, so that the rest can be checked in the same run."""

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from config import names
from config.model import Config
from config.shape import check_shape

_ROUNDS = 8
_NOBODY: Mapping[str, Any] = {"id": "site", "name": "site", "state": "/var/lib/bongsu"}
Place = tuple[Any, ...]


def prune(raw: Mapping[str, Any], folder: Path, places: Iterable[Place]) -> tuple[Config, Mapping[str, Any]]:
    """Take out every wrong item and key.

    Returns:
        The configuration of what is left, and the raw tables that it was made from. An item that was taken out
        leaves no gap; a [site] that cannot be used is replaced, so that the rest can be looked at.
    """
    left = {key: copy.copy(value) for key, value in raw.items()}
    wrong = list(places)
    for _ in range(_ROUNDS):
        _take_out(left, wrong)
        left.setdefault("site", dict(_NOBODY))
        config, _, wrong = check_shape(left, folder)
        if config is not None:
            return config, left
    bare = {"site": dict(_NOBODY)}
    return Config.model_validate(bare), bare


def _take_out(left: dict[str, Any], places: list[Place]) -> None:
    items: dict[str, set[int]] = {}
    for place in places:
        section, *rest = place or ("site",)
        if rest and isinstance(rest[0], int):
            items.setdefault(section, set()).add(rest[0])
        elif rest and names.is_table(left.get(section)) and rest[0] in left[section]:
            left[section] = {key: value for key, value in left[section].items() if key != rest[0]}
        else:
            left.pop(section, None)
    for section, indexes in items.items():
        if names.is_list(left.get(section)):
            left[section] = [entry for index, entry in enumerate(left[section]) if index not in indexes]
