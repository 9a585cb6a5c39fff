"""A source's state for people and programs, fit for JSON."""

from datetime import UTC, datetime
from typing import Any

from replicator.source import Source

#: Paths that are set aside and named; more are only counted.
_NAMED = 20


def source_status(source: Source, now_ns: int) -> dict[str, Any]:
    """One source: how it is seen, what is pending, what is set aside. Paths are text, odd bytes escaped."""
    sight, pending = source.sight, source.pending
    scanned = sight.scanned
    return {
        "path": str(source.settings.path),
        "watch": sight.method,
        "watch_reason": sight.why,
        "canary": source.canary.status(),
        "missed": source.missed.total,
        "missed_newest": text(source.missed.newest),
        "missing": sight.missing,
        "scanning": sight.scanning,
        "copied": source.row.copied,
        "scanned_at": iso(source.row.scanned_ns),
        "blind_since": iso(sight.blind_since_ns),
        "blind_reason": sight.blind_reason,
        "pending": len(pending),
        "pending_bytes": pending.bytes,
        "oldest": iso(pending.oldest_ns),
        "lag_seconds": round(source.gauges.lag(now_ns), 3),
        "position": source.row.position,
        "paths": scanned.paths if scanned else None,
        "special": scanned.special if scanned else 0,
        "held_deletions": sight.held,
        "unmounted": [{"path": text(path), "reason": why} for path, why in sorted(sight.inner.lost.items())],
        "unreadable": [{"path": text(path), "reason": why} for path, why in (scanned.unreadable if scanned else [])],
        "set_aside_count": len(pending.aside),
        "set_aside": [
            {"path": text(item.path), "reason": item.reason, "tries": item.tries}
            for item in list(pending.aside.values())[:_NAMED]
        ],
    }


def text(path: bytes) -> str:
    """A path that people can read whatever bytes it has."""
    return path.decode(errors="backslashreplace")


def iso(ns: int) -> str | None:
    """A time, or None for 0."""
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds") if ns else None
