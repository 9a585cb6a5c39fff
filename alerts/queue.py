"""The queue of notifications is a table: claimed with a lease, in order for each contact and alarm.

Every function works inside the caller's transaction.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from alerts import rows
from alerts.errors import Reason
from alerts.event import CALLING, Event, Kind
from alerts.retry import Next, Tries
from alerts.routing import Delivery
from alerts.store import moment, stamp
from alerts.views import Progress

# An open row that may be sent now and has no open row before it in its queue.
_READY = (
    "finished_at IS NULL AND due_at <= :now AND lease_until <= :now AND halted = '' AND NOT EXISTS (SELECT 1"
    " FROM notifications AS before WHERE before.queue = n.queue AND before.seq < n.seq AND before.finished_at IS NULL)"
)
_CALLING = ", ".join(f"'{kind}'" for kind in CALLING)
_LATER = ", ".join(f"'{kind}'" for kind in CALLING if kind is not Kind.RAISED)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that is ours to send until the lease ends.

    Attributes:
        id: the notification's id.
        attempt: which try this is, from 1.
        contact: to whom.
        tries: how far it is with its channels; `tries.channel` is to be tried now.
        created: when it was made.
        event: what it tells.
    """

    id: str
    attempt: int
    contact: str
    tries: Tries
    created: datetime
    event: Event


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one try.

    Attributes:
        started, finished: from when to when.
        reason: why it did not work; none when it was accepted.
        permanent: whether the channel can never take it.
        text: the channel's words.
    """

    started: datetime
    finished: datetime
    reason: Reason | None = None
    permanent: bool = False
    text: str = ""


def add(
    db: sqlite3.Connection,
    event: Event,
    rank: int,
    due: Iterable[Delivery],
    now: datetime,
    *,
    not_before: datetime | None = None,
) -> None:
    """Make an event due to contacts, at once or not before a time. The order of adding is the order told."""
    for delivery in due:
        test = event.kind is Kind.TEST
        row = {
            "id": f"{event.id}.{delivery.contact}" + (f".{delivery.channels[0]}" if test else ""),
            "event": event.id,
            "kind": event.kind,
            "alarm": event.alarm,
            "occurrence": event.occurrence,
            "contact": delivery.contact,
            "queue": f"{delivery.contact}/{event.id}/{delivery.channels[0]}"
            if test
            else f"{delivery.contact}/{event.alarm}",
            "rank": rank,
            "channels": msgspec.json.encode(delivery.channels).decode(),
            "channel": delivery.channels[0],
            "created_at": stamp(now),
            "due_at": stamp(not_before) if not_before else 0,
        }
        names = ", ".join(row)
        db.execute(f"INSERT INTO notifications ({names}) VALUES ({', '.join(f':{name}' for name in row)})", row)  # noqa: S608 - constants


def claim(
    db: sqlite3.Connection, room: dict[str, int], now: datetime, lease: timedelta
) -> tuple[list[Claim], list[str]]:
    """Take what is due, worst first, as many for each configured channel as it has room for.

    Returns:
        The claims, and the ids of rows that cannot be read: those are set aside for ten minutes.
    """
    _bury(db, now)
    taken: list[Claim] = []
    aside: list[str] = []
    for channel, free in [*room.items(), (None, 10)]:
        for row in _ready(db, channel, list(room), free, now):
            try:
                taken.append(_claimed(db, row, now, lease))
            except (LookupError, msgspec.MsgspecError):
                _postpone(db, row[0], now + timedelta(minutes=10))
                aside.append(row[0])
    return taken, aside


def _ready(
    db: sqlite3.Connection, channel: str | None, known: Sequence[str], free: int, now: datetime
) -> list[tuple[str, str, str, str, str, int, int, str, int]]:
    """Return rows of one channel, or, for None, of channels that are not configured any more."""
    which = "channel = :channel" if channel is not None else "channel NOT IN (SELECT value FROM json_each(:known))"
    sql = (
        "SELECT id, contact, channels, dropped, channel, rounds, attempts, event, created_at FROM notifications AS n"  # noqa: S608 - constants
        f" WHERE {which} AND {_READY} ORDER BY rank DESC, seq LIMIT :free"
    )
    names = {"channel": channel, "known": msgspec.json.encode(list(known)).decode(), "now": stamp(now), "free": free}
    return db.execute(sql, names).fetchall()


def _claimed(
    db: sqlite3.Connection,
    row: tuple[str, str, str, str, str, int, int, str, int],
    now: datetime,
    lease: timedelta,
) -> Claim:
    name, contact, channels, dropped, channel, rounds, attempts, event, created = row
    tries = Tries(
        channels=msgspec.json.decode(channels, type=tuple[str, ...]),
        dropped=msgspec.json.decode(dropped, type=tuple[str, ...]),
        channel=channel,
        rounds=rounds,
    )
    claimed = Claim(
        id=name,
        attempt=attempts + 1,
        contact=contact,
        tries=tries,
        created=moment(created),
        event=rows.event(db, event),
    )
    sql = "UPDATE notifications SET lease_until = ?, attempts = attempts + 1 WHERE id = ? AND lease_until <= ?"
    db.execute(sql, (stamp(now + lease), name, stamp(now)))
    return claimed


def _postpone(db: sqlite3.Connection, name: str, until: datetime) -> None:
    """Set a row aside, out of its queue: what follows it goes on."""
    sql = (
        "UPDATE notifications SET due_at = ?, queue = 'aside/' || id, reason = 'set aside: the row cannot be read'"
        " WHERE id = ?"
    )
    db.execute(sql, (stamp(until), name))


def _bury(db: sqlite3.Connection, now: datetime) -> None:
    """Finish what was halted while it was sent and whose sender never came back."""
    sql = "UPDATE notifications SET outcome = ?, reason = halted, finished_at = ? WHERE {} AND lease_until <= ?"
    where = "finished_at IS NULL AND halted <> ''"
    db.execute(sql.format(where), (Progress.CANCELLED, stamp(now), stamp(now)))


def accepted(db: sqlite3.Connection, claimed: Claim, attempt: Attempt) -> None:
    """Record a try that a channel took."""
    _attempted(db, claimed, attempt)
    _finish(db, claimed.id, Progress.ACCEPTED, f"{claimed.tries.channel} accepted it", attempt.finished)


def failed(db: sqlite3.Connection, claimed: Claim, attempt: Attempt, after: Next) -> None:
    """Record a try that failed, and what is next. What was halted meanwhile is not tried again."""
    _attempted(db, claimed, attempt)
    found = db.execute("SELECT halted FROM notifications WHERE id = ?", (claimed.id,)).fetchone()
    if found and found[0]:
        _finish(db, claimed.id, Progress.CANCELLED, found[0], attempt.finished)
    elif after.pause is None:
        _finish(db, claimed.id, Progress.FAILED, after.reason, attempt.finished)
    else:
        sql = (
            "UPDATE notifications SET channel = ?, dropped = ?, rounds = ?, due_at = ?, lease_until = 0, reason = ?"
            " WHERE id = ? AND attempts = ? AND finished_at IS NULL"
        )
        tries = after.tries
        due = stamp(attempt.finished + after.pause) if after.pause else 0
        dropped = msgspec.json.encode(tries.dropped).decode()
        db.execute(sql, (tries.channel, dropped, tries.rounds, due, after.reason, claimed.id, claimed.attempt))


def _attempted(db: sqlite3.Connection, claimed: Claim, attempt: Attempt) -> None:
    row = (
        claimed.id,
        claimed.attempt,
        claimed.tries.channel,
        attempt.reason is None,
        attempt.reason or "",
        attempt.text,
        stamp(attempt.started),
        stamp(attempt.finished),
    )
    db.execute("INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def _finish(db: sqlite3.Connection, name: str, outcome: Progress, reason: str, at: datetime) -> None:
    sql = (
        "UPDATE notifications SET outcome = ?, reason = ?, finished_at = ?, lease_until = 0"
        " WHERE id = ? AND finished_at IS NULL"
    )
    db.execute(sql, (outcome, reason, stamp(at), name))


def halt(db: sqlite3.Connection, occurrence: str, why: str, now: datetime, *, also_raised: bool) -> None:
    """Cancel what still calls for an occurrence; what is just being sent is not tried again."""
    kinds = _CALLING if also_raised else _LATER
    where = f"occurrence = ? AND kind IN ({kinds}) AND finished_at IS NULL"
    db.execute(f"UPDATE notifications SET halted = ? WHERE {where} AND lease_until > 0", (why, occurrence))  # noqa: S608 - constants
    sql = f"UPDATE notifications SET outcome = ?, reason = ?, finished_at = ? WHERE {where} AND lease_until = 0"  # noqa: S608
    db.execute(sql, (Progress.CANCELLED, why, stamp(now), occurrence))


def supersede(db: sqlite3.Connection, occurrence: str, contacts: Iterable[str], now: datetime, *, all_: bool) -> None:
    """Cancel older calls that a newer one to the same contact says better, unless they are just being sent."""
    kinds = _CALLING if all_ else _LATER
    sql = (
        f"UPDATE notifications SET outcome = ?, reason = 'a newer one says it', finished_at = ?"  # noqa: S608 - constants
        f" WHERE occurrence = ? AND contact = ? AND kind IN ({kinds}) AND finished_at IS NULL AND lease_until = 0"
    )
    db.executemany(sql, [(Progress.CANCELLED, stamp(now), occurrence, contact) for contact in contacts])


def told(db: sqlite3.Connection, occurrence: str) -> list[Delivery]:
    """Return who heard of an occurrence, or may have, or is still to hear, each with the channels used last."""
    found = db.execute(
        "SELECT contact, channels FROM notifications WHERE occurrence = ?"
        " AND (finished_at IS NULL OR outcome = ? OR attempts > 0) ORDER BY seq",
        (occurrence, Progress.ACCEPTED),
    )
    return [Delivery(contact, ways) for contact, text in dict(found.fetchall()).items() if (ways := _list(text))]


def _list(text: str) -> tuple[str, ...]:
    """Read a list of channels; a damaged row has none."""
    try:
        return msgspec.json.decode(text, type=tuple[str, ...])
    except msgspec.MsgspecError:
        return ()


def newest_for(db: sqlite3.Connection, occurrence: str, contact: str) -> int:
    """Return the stamp at which an occurrence was last made due to a contact and not cancelled; 0 when never."""
    sql = "SELECT max(created_at) FROM notifications WHERE occurrence = ? AND contact = ? AND outcome <> ?"
    return db.execute(sql, (occurrence, contact, Progress.CANCELLED)).fetchone()[0] or 0


def release(db: sqlite3.Connection) -> int:
    """End all leases: the process that held them is gone. Returns how many there were."""
    return db.execute("UPDATE notifications SET lease_until = 0 WHERE finished_at IS NULL AND lease_until > 0").rowcount


def restrain(db: sqlite3.Connection, latest: datetime) -> None:
    """Bring due times back that a clock, set back since, has put into a far future."""
    db.execute("UPDATE notifications SET due_at = ? WHERE finished_at IS NULL AND due_at > ?", (0, stamp(latest)))


def next_due(db: sqlite3.Connection, now: datetime) -> datetime | None:
    """Return the next moment after now at which a row becomes due or a lease ends."""
    found = db.execute(
        "SELECT min(t) FROM (SELECT min(due_at) AS t FROM notifications WHERE finished_at IS NULL AND due_at > ?"
        " UNION ALL SELECT min(lease_until) FROM notifications WHERE finished_at IS NULL AND lease_until > ?)",
        (stamp(now), stamp(now)),
    ).fetchone()[0]
    return None if found is None else moment(found)


def unsent(db: sqlite3.Connection, now: datetime) -> int:
    """Count what could be sent now or is being sent."""
    sql = f"SELECT count(*) FROM notifications AS n WHERE ({_READY}) OR (finished_at IS NULL AND lease_until > :now)"  # noqa: S608 - constants
    return int(db.execute(sql, {"now": stamp(now)}).fetchone()[0])
