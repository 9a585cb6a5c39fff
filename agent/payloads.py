"""Topics and payloads of the bus, as the contract promises them. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from agent.requests import encode

#: Version of every payload.
VERSION = 1
_PREFIX = "bongsu/v1"


def topic(site: str, *parts: str) -> str:
    """Return `bongsu/v1/SITE/...`; what MQTT would read as a wildcard or a level is replaced in each part."""
    return "/".join((_PREFIX, site, *(_level(part) for part in parts)))


def _level(text: str) -> str:
    return text.translate({ord("/"): "_", ord("+"): "_", ord("#"): "_", 0: "_"})


def time_text(at: datetime | None) -> str | None:
    """Write a time as RFC 3339 in UTC with milliseconds."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def payload(fields: Mapping[str, Any]) -> bytes:
    """Write a payload; times become RFC 3339."""
    plain = {key: time_text(value) if isinstance(value, datetime) else value for key, value in fields.items()}
    return encode({"v": VERSION, **plain}).rstrip(b"\n")


def fields_of(item: msgspec.Struct, *names: str) -> dict[str, Any]:
    """Return the named fields of a struct, those that it has."""
    return {name: getattr(item, name) for name in names if hasattr(item, name)}


def part_payload(part: str, up: bool, reason: str = "", at: datetime | None = None) -> bytes:
    """Say whether a part is there; without a time it is a last will."""
    return payload({"part": part, "state": "online" if up else "offline", "reason": reason, "at": at})
