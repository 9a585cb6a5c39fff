"""What the alarm rules remember over a restart, in SQLite."""

import json
import sqlite3
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import structlog

from config.model import Alarm
from sensors.rules import Watched

log = structlog.get_logger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rule (
    alarm TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    active INTEGER NOT NULL,
    waited REAL,
    windows TEXT NOT NULL,
    value TEXT NOT NULL,
    saved_at TEXT NOT NULL
) STRICT
"""
_SAVE = "INSERT OR REPLACE INTO rule VALUES (:alarm, :settings, :active, :waited, :windows, :value, :saved_at)"
_Ages = dict[str, list[tuple[float, float]]]


class Stored(msgspec.Struct, frozen=True):
    """One rule's state as it lies on disk: durations instead of clock times, and when they were true.

    Attributes:
        settings: what decides; a pending delay of other settings is not continued.
        waited: seconds that readings had said the opposite, or None.
        windows: JSON of (age in seconds, value) for each point.
        value: the value of the last flip, as people read it.
        saved_at: the wall's time, RFC 3339 UTC.
    """

    alarm: str
    settings: str
    active: int
    waited: float | None
    windows: str
    value: str
    saved_at: str


def freeze(alarm: Alarm, state: Watched, now: datetime, steady: float) -> Stored:
    """Turn a running state into one that outlives the process."""
    ages: _Ages = {point: [(steady - at, low) for at, low in window] for point, window in state.windows.items()}
    return Stored(
        alarm=alarm.id,
        settings=_settings(alarm),
        active=int(state.active),
        waited=None if state.since is None else steady - state.since,
        windows=msgspec.json.encode(ages).decode(),
        value=state.value,
        saved_at=now.astimezone(UTC).isoformat(),
    )


def thaw(alarm: Alarm, stored: Stored, now: datetime, steady: float) -> Watched:
    """Go on from what was stored.

    The time away counts, at most one delay of it and never less than nothing: a wall clock that was set back does not
    make a delay longer than it is.
    """
    if stored.settings != _settings(alarm):
        return Watched(active=bool(stored.active), value=stored.value)
    away = max(timedelta(0), now - datetime.fromisoformat(stored.saved_at))
    delay = alarm.off_delay if stored.active else alarm.on_delay
    since = None if stored.waited is None else steady - stored.waited - min(away, delay).total_seconds()
    ages = msgspec.json.decode(stored.windows, type=_Ages)
    windows = {
        point: tuple((steady - age - away.total_seconds(), low) for age, low in window)
        for point, window in ages.items()
    }
    return Watched(active=bool(stored.active), since=since, windows=windows, value=stored.value)


class RuleStore:
    """One small table; every method is one transaction and blocks: call it in a thread."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; one that is damaged is put aside, because the room must be watched."""
        try:
            self._db = _connect(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
            for piece in ("", "-wal", "-shm"):
                if (found := path.with_name(path.name + piece)).exists():
                    found.rename(aside.with_name(aside.name + piece))
            log.error("rule_state_damaged", put_aside=str(aside), reason=str(error))  # noqa: TRY400 - no fault of ours
            self._db = _connect(path)

    def load(self, alarms: Iterable[str]) -> dict[str, Stored]:
        """What is stored of these alarms, by alarm. Others are forgotten: one that is configured anew begins anew.

        So does one whose row cannot be read: one bad row must not keep the room from being watched.
        """
        keep = json.dumps(list(alarms))
        with self._db:
            self._db.execute("DELETE FROM rule WHERE alarm NOT IN (SELECT value FROM json_each(?))", (keep,))
        rows = self._db.execute("SELECT alarm, settings, active, waited, windows, value, saved_at FROM rule")
        return {row[0]: Stored(*row) for row in rows if _readable(Stored(*row))}

    def save(self, states: Iterable[Stored]) -> None:
        """Store these."""
        with self._db:
            self._db.executemany(_SAVE, [msgspec.structs.asdict(state) for state in states])

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    try:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(_SCHEMA)
        db.commit()
    except sqlite3.Error:
        db.close()
        raise
    return db


def _readable(stored: Stored) -> bool:
    try:
        at = datetime.fromisoformat(stored.saved_at)
        msgspec.json.decode(stored.windows, type=_Ages)
    except (ValueError, msgspec.MsgspecError) as error:
        log.error("rule_state_unreadable", alarm=stored.alarm, reason=str(error))  # noqa: TRY400 - no fault of ours
        return False
    return at.tzinfo is not None


def _settings(alarm: Alarm) -> str:
    return alarm.model_dump_json(exclude={"text", "severity", "evacuate", "on_delay", "off_delay"})
