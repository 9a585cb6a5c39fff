"""What the page shows, made ready for the template. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from agent.evacuation import size_text
from agent.shower import sources_of

LOST = "—"
_DIGITS = 1
_LONG = 86400


def rows_of(status: Mapping[str, Any], words: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    """Return the tables of the page."""
    return {
        "readings": [_reading(each, words, zone) for each in status["readings"]],
        "alarms": [_alarm(each, words, zone) for each in status["alarms"]],
        "sources": [_source(name, each, words) for name, each in sources_of(status.get("replication"))],
        "vault": _vault(status.get("replication")),
        "parts": status["parts"],
        "at": clock(status["at"], zone),
    }


def value_text(value: object, words: Mapping[str, str]) -> str:
    """Write a value as people read it; a lost one is a dash, never an old number."""
    if value is None:
        return LOST
    if isinstance(value, bool):
        return words["yes"] if value else words["no"]
    return f"{value:.{_DIGITS}f}" if isinstance(value, float) else str(value)


def clock(at: str | None, zone: ZoneInfo) -> str:
    """Write an RFC 3339 time as the clock of the site."""
    if not at:
        return ""
    try:
        return datetime.fromisoformat(at).astimezone(zone).strftime("%m-%d %H:%M:%S")
    except ValueError:
        return at


def _reading(reading: Mapping[str, Any], words: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    text = value_text(reading["value"], words)
    return {
        **reading,
        "text": text if reading["value"] is None or not reading["unit"] else f"{text} {reading['unit']}",
        "word": words.get(reading["quality"], reading["quality"]),
        "clock": clock(reading["at"], zone),
    }


def _alarm(alarm: Mapping[str, Any], words: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    return {
        **alarm,
        "level": words.get(alarm["severity"], alarm["severity"]),
        "word": words.get(alarm["state"], alarm["state"]),
        "clock": clock(alarm.get("raised_at") or alarm.get("changed_at"), zone),
        "waits": alarm["state"] in {"unacknowledged", "returned-unacknowledged"},
    }


def _source(name: str, source: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    lag = source.get("lag_seconds")
    return {
        "id": name,
        "pending": source.get("pending", 0),
        "size": size_text(int(source.get("pending_bytes") or 0)),
        "lag": LOST if lag is None else f"{lag:.1f}",
        "watch": words["blind"] if source.get("blind_since") else words["ok"],
        "blind": bool(source.get("blind_since")),
    }


def _vault(replication: Mapping[str, Any] | None) -> bool | None:
    vault = (replication or {}).get("vault")
    return bool(vault.get("connected")) if isinstance(vault, Mapping) else None
