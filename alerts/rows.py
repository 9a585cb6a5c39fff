"""Alarms, events and calls in the state file. Every function works inside the caller's transaction."""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

import msgspec
import structlog

from alerts.escalation import Call
from alerts.event import Event, State
from alerts.store import moment, stamp
from alerts.views import AlarmView

_alarm = msgspec.json.Decoder(AlarmView)
_event = msgspec.json.Decoder(Event)
_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


def alarm(db: sqlite3.Connection, name: str) -> AlarmView | None:
    """Return one alarm, or none when it never was, or its row is damaged: what holds is then raised anew."""
    row = db.execute("SELECT id, view FROM alarms WHERE id = ?", (name,)).fetchone()
    return next(_sound(_alarm, [row] if row else []), None)


def alarms(db: sqlite3.Connection, *, every: bool) -> list[AlarmView]:
    """Return the alarms, newest change first: all, or those that are not normal. Damaged rows are left out."""
    where = "" if every else f"WHERE state <> '{State.NORMAL}'"
    found = _sound(_alarm, db.execute(f"SELECT id, view FROM alarms {where}"))  # noqa: S608 - constants
    return sorted(found, key=lambda view: (view.changed_at, view.id), reverse=True)


def active_of(db: sqlite3.Connection, part: str) -> list[AlarmView]:
    """Return the alarms of one part whose condition holds."""
    return list(
        _sound(_alarm, db.execute("SELECT id, view FROM alarms WHERE active AND part = ? ORDER BY id", (part,)))
    )


def drop_damaged(db: sqlite3.Connection) -> list[str]:
    """Delete the alarms whose rows cannot be read, and return their ids."""
    gone = [name for name, view in db.execute("SELECT id, view FROM alarms") if not _readable(view)]
    db.executemany("DELETE FROM alarms WHERE id = ?", [(name,) for name in gone])
    return gone


def shelved(db: sqlite3.Connection, now: datetime) -> list[str]:
    """Return the shelved alarms whose time is over."""
    return [row[0] for row in db.execute("SELECT id FROM alarms WHERE shelved_until <= ? ORDER BY id", (stamp(now),))]


def keep_alarm(db: sqlite3.Connection, view: AlarmView) -> None:
    """Write an alarm as it stands."""
    until = stamp(view.shelved_until) if view.shelved_until else None
    row = (view.id, view.state, view.active, view.part, until, msgspec.json.encode(view))
    db.execute("INSERT OR REPLACE INTO alarms VALUES (?, ?, ?, ?, ?, ?)", row)


def last_event(db: sqlite3.Connection) -> str:
    """Return the newest event's id, or the empty text."""
    return db.execute("SELECT max(id) FROM events").fetchone()[0] or ""


def add_event(db: sqlite3.Connection, event: Event) -> None:
    """Write a new event."""
    row = (event.id, event.alarm, event.occurrence, stamp(event.at), msgspec.json.encode(event))
    db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)


def event(db: sqlite3.Connection, name: str) -> Event:
    """Return one event.

    Raises:
        LookupError: there is none.
        msgspec.MsgspecError: the row is damaged.
    """
    row = db.execute("SELECT view FROM events WHERE id = ?", (name,)).fetchone()
    if row is None:
        raise LookupError(name)
    return _event.decode(row[0])


def events(db: sqlite3.Connection, after: str, limit: int) -> list[Event]:
    """Return the events after an id, oldest first. Damaged rows are left out."""
    return list(
        _sound(_event, db.execute("SELECT id, view FROM events WHERE id > ? ORDER BY id LIMIT ?", (after, limit)))
    )


def newest_events(db: sqlite3.Connection, limit: int) -> list[Event]:
    """Return the last events, newest first. Damaged rows are left out."""
    return list(_sound(_event, db.execute("SELECT id, view FROM events ORDER BY id DESC LIMIT ?", (limit,))))


def calls(db: sqlite3.Connection, name: str) -> list[Call]:
    """Return the steps that an alarm is in."""
    rows = db.execute("SELECT route, step, told, next_at FROM calls WHERE alarm = ? ORDER BY route, step", (name,))
    return [
        Call(route=row[0], step=row[1], told=row[2], next_at=None if row[3] is None else moment(row[3])) for row in rows
    ]


def calling(db: sqlite3.Connection, now: datetime) -> list[str]:
    """Return the alarms that have a step due."""
    rows = db.execute("SELECT DISTINCT alarm FROM calls WHERE next_at <= ? ORDER BY alarm", (stamp(now),))
    return [row[0] for row in rows]


def keep_calls(db: sqlite3.Connection, name: str, kept: list[Call]) -> None:
    """Write steps as they stand."""
    rows = [(name, call.route, call.step, call.told, stamp(call.next_at) if call.next_at else None) for call in kept]
    db.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?)", rows)


def drop_calls(db: sqlite3.Connection, name: str) -> None:
    """Forget the steps of an alarm: nothing calls for it any more."""
    db.execute("DELETE FROM calls WHERE alarm = ?", (name,))


def next_call(db: sqlite3.Connection, now: datetime) -> datetime | None:
    """Return the next moment at which a step or the end of a shelving is due."""
    found = db.execute(
        "SELECT min(t) FROM (SELECT min(next_at) AS t FROM calls WHERE next_at > ?"
        " UNION ALL SELECT min(shelved_until) FROM alarms WHERE shelved_until > ?)",
        (stamp(now), stamp(now)),
    ).fetchone()[0]
    return None if found is None else moment(found)


def prune(db: sqlite3.Connection, before: datetime) -> int:
    """Delete events older than a moment with all that hangs on them; not those of open alarms or still to be sent."""
    gone = db.execute(
        "DELETE FROM events WHERE at < ?"
        " AND occurrence NOT IN (SELECT json_extract(view, '$.occurrence') FROM alarms WHERE state <> ?)"
        " AND id NOT IN (SELECT event FROM notifications WHERE finished_at IS NULL)",
        (stamp(before), State.NORMAL),
    ).rowcount
    if gone:
        db.execute("DELETE FROM notifications WHERE event NOT IN (SELECT id FROM events)")
        db.execute("DELETE FROM attempts WHERE notification NOT IN (SELECT id FROM notifications)")
    return gone


def _sound(decoder: msgspec.json.Decoder[_T], found: Iterable[tuple[str, bytes]]) -> Iterator[_T]:
    """Read rows; one that is damaged never stops the rest."""
    for name, view in found:
        try:
            yield decoder.decode(view)
        except msgspec.MsgspecError as error:
            _tell_damaged(name, str(error))


def _readable(view: bytes) -> bool:
    try:
        _alarm.decode(view)
    except msgspec.MsgspecError:
        return False
    return True


@lru_cache(maxsize=1000)
def _tell_damaged(name: str, cause: str) -> None:
    """Log a damaged row, once."""
    _log.error("damaged row left out", row=name, cause=cause)
