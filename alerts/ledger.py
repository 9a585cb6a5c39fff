"""Writes a step of an alarm down: the alarm, its event and the notifications of it, in the caller's one transaction."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from alerts import escalation, queue, rows
from alerts.alarm import RANK, Step, Telling
from alerts.condition import Condition
from alerts.event import INFORMED, Event, Kind, State, next_id
from alerts.message import Words, compose
from alerts.routing import Delivery, around, deliveries, plan
from alerts.store import moment
from alerts.views import AlarmView
from config.model import Config, Severity

_APART = timedelta(seconds=1)  # between two tellings of one occurrence to one contact when its severity rises


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be written, and who hears of it."""

    view: AlarmView
    kind: Kind
    reason: str
    at: datetime
    now: datetime
    due: Sequence[Delivery]
    note: str = ""
    by: str = ""
    number: int = 0
    upgraded: bool = False
    fresh: bool = False


class Ledger:
    """The book-keeping of one site."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._channels = tuple(channel.id for channel in config.channel)
        self._names = {contact.id: contact.name for contact in config.contact}

    def enter(
        self, db: sqlite3.Connection, step: Step, at: datetime, now: datetime, *, note: str = "", by: str = ""
    ) -> Event:
        """Write a step down.

        Args:
            db: in a transaction.
            step: what `alerts.alarm` decided.
            at: when it happened.
            now: the time that escalation counts from.
            note: what a person added.
            by: the contact who acted.
        """
        view = step.alarm
        if step.quiets or step.kind is Kind.CLEARED:
            rows.drop_calls(db, view.id)
            queue.halt(db, view.occurrence, step.reason, now, also_raised=step.quiets)
        due: Sequence[Delivery] = []
        if step.telling is Telling.TOLD and view.occurrence:
            due = queue.told(db, view.occurrence)
        elif step.telling is Telling.ROUTE:
            due = self._route(db, view, now)
        return self._write(
            db,
            _Entry(
                view=view,
                kind=step.kind,
                reason=step.reason,
                at=at,
                now=now,
                due=due,
                note=note,
                by=by,
                upgraded=step.kind is Kind.ESCALATED,
                fresh=step.fresh,
            ),
        )

    def call(self, db: sqlite3.Connection, alarm: str, newest: Condition | None, now: datetime) -> Event | None:
        """Repeat or escalate one alarm whose steps are due; None when there is nothing to say any more."""
        view = rows.alarm(db, alarm)
        if view is None or view.state is not State.UNACKNOWLEDGED:
            rows.drop_calls(db, alarm)
            return None
        found = escalation.due(rows.calls(db, alarm), plan(self._config.route, view.peak), now)
        if found is None:
            return None
        rows.keep_calls(db, alarm, found.calls)
        if newest is not None and newest.active:
            view = replace(view, text=newest.text, value=newest.value, limit=newest.limit)
        queue.supersede(db, view.occurrence, [each.contact for each in found.deliveries], now, all_=False)
        number = found.number if found.kind is Kind.REPEATED else 0
        entry = _Entry(
            view=view, kind=found.kind, reason=found.reason, at=now, now=now, due=found.deliveries, number=number
        )
        return self._write(db, entry)

    def inform(self, db: sqlite3.Connection, view: AlarmView, text: str, at: datetime, now: datetime) -> Event:
        """Tell all who were told of an occurrence something about it."""
        due = queue.told(db, view.occurrence) if view.occurrence and view.state is not State.SHELVED else []
        entry = _Entry(view=view, kind=Kind.INFO, reason=INFORMED, at=at, now=now, due=due, note=text)
        return self._write(db, entry)

    def test(self, db: sqlite3.Connection, text: str, due: Sequence[Delivery], at: datetime, now: datetime) -> Event:
        """Tell somebody that this is a test; it belongs to no alarm."""
        event = Event(
            id=next_id(rows.last_event(db), now),
            kind=Kind.TEST,
            alarm="",
            state=State.NORMAL,
            severity=Severity.NOTICE,
            text=text,
            at=at,
            reason="asked for",
        )
        words = Words(kind=event.kind, severity=event.severity, text=text, at=at)
        event = replace(event, message=compose(words, self._config.site))
        rows.add_event(db, event)
        queue.add(db, event, len(RANK), due, now)
        return event

    def reroute(self, db: sqlite3.Connection, now: datetime) -> None:
        """Let alarms that wait for somebody go by the steps that are configured now: others end, new ones begin."""
        for view in rows.alarms(db, every=False):
            if view.state is not State.UNACKNOWLEDGED:
                continue
            calls = escalation.resume(rows.calls(db, view.id), plan(self._config.route, view.peak), now)
            rows.drop_calls(db, view.id)
            rows.keep_calls(db, view.id, calls)

    def _route(self, db: sqlite3.Connection, view: AlarmView, now: datetime) -> list[Delivery]:
        """Start the routes of an alarm anew, and return who is told at once."""
        steps = plan(self._config.route, view.peak)
        calls = escalation.begin(steps, now)
        rows.drop_calls(db, view.id)
        first = escalation.due(calls, steps, now)
        told = {(call.route, call.step): call for call in first.calls} if first else {}
        rows.keep_calls(db, view.id, [told.get((call.route, call.step), call) for call in calls])
        return first.deliveries if first else deliveries([])

    def _write(self, db: sqlite3.Connection, entry: _Entry) -> Event:
        view = entry.view
        name = next_id(rows.last_event(db), entry.now)
        view = replace(view, occurrence=name if entry.fresh else view.occurrence)
        event = Event(
            id=name,
            kind=entry.kind,
            alarm=view.id,
            occurrence=view.occurrence,
            state=view.state,
            severity=view.severity,
            text=view.text,
            value=view.value,
            limit=view.limit,
            reason=entry.reason,
            at=entry.at,
            note=entry.note,
            by=entry.by,
            message=compose(self._words(entry), self._config.site),
        )
        rows.add_event(db, event)
        self._queue(db, entry, event)
        rows.keep_alarm(db, replace(view, attached="") if entry.due else view)
        return event

    def _words(self, entry: _Entry) -> Words:
        view = entry.view
        return Words(
            kind=entry.kind,
            severity=view.severity,
            text=view.text,
            at=entry.at,
            value=view.value,
            limit=view.limit,
            note=entry.note,
            raised_at=view.raised_at,
            number=entry.number,
            upgraded=entry.upgraded,
            attached=view.attached,
            who=self._names.get(entry.by, entry.by),
        )

    def _queue(self, db: sqlite3.Connection, entry: _Entry, event: Event) -> None:
        rank = RANK[entry.view.peak]
        ways = self._around(event.alarm, entry.due)
        if not entry.upgraded:
            queue.add(db, event, rank, ways, entry.now)
            return
        queue.supersede(db, event.occurrence, [way.contact for way in ways], entry.now, all_=True)
        for way in ways:
            last = queue.newest_for(db, event.occurrence, way.contact)
            queue.add(db, event, rank, [way], entry.now, not_before=moment(last) + _APART if last else None)

    def _around(self, alarm: str, due: Iterable[Delivery]) -> list[Delivery]:
        return [Delivery(way.contact, around(alarm, way.channels, self._channels)) for way in due]
