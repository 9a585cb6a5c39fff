"""What became of notifications: the reading side of the queue. Every function works inside the caller's transaction."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

import msgspec

from alerts.store import moment
from alerts.views import AttemptView, NotificationView, Progress


def notifications(db: sqlite3.Connection, event: str | None, limit: int) -> list[NotificationView]:
    """Return notifications, newest first: of one event, or of all."""
    where, names = ("", ()) if event is None else ("WHERE event = ?", (event,))
    sql = (
        "SELECT id, event, kind, alarm, contact, channel, outcome, lease_until, attempts, reason, created_at, due_at,"  # noqa: S608 - constants
        f" finished_at FROM notifications {where} ORDER BY seq DESC LIMIT ?"
    )
    return [_view(row) for row in db.execute(sql, (*names, limit))]


def _view(row: Sequence[object]) -> NotificationView:
    name, event, kind, alarm, contact, channel, outcome, lease, attempts, reason, created, due, finished = row
    progress = outcome or (Progress.SENDING if lease else Progress.PENDING)
    facts = {
        "id": name,
        "event": event,
        "kind": kind,
        "alarm": alarm,
        "contact": contact,
        "channel": channel,
        "progress": progress,
        "attempts": attempts,
        "reason": reason,
        "created_at": _time(created),
        "due_at": _time(due) if due and not finished else None,
        "finished_at": _time(finished),
    }
    return msgspec.convert(facts, NotificationView)


def _time(stamped: object) -> datetime | None:
    return moment(stamped) if isinstance(stamped, int) else None


def attempts(db: sqlite3.Connection, notification: str | None, limit: int) -> list[AttemptView]:
    """Return attempts, newest first: of one notification, or of all."""
    where, names = ("", ()) if notification is None else ("WHERE notification = ?", (notification,))
    sql = f"SELECT * FROM attempts {where} ORDER BY started_at DESC, number DESC LIMIT ?"  # noqa: S608 - constants
    return [
        AttemptView(
            notification=row[0],
            number=row[1],
            channel=row[2],
            accepted=bool(row[3]),
            reason=row[4],
            text=row[5],
            started_at=moment(row[6]),
            finished_at=moment(row[7]),
        )
        for row in db.execute(sql, (*names, limit))
    ]
