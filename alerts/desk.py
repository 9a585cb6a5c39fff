"""The one facade over the state file: what happens to alarms, and what is to be told of it."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from msgspec.structs import replace

from alerts import alarm as life
from alerts import history, queue, rows
from alerts.clock import Clock, SteadyClock
from alerts.condition import Condition
from alerts.conditions import STORE, cleared, damaged_condition
from alerts.errors import NobodyToTell, StoreError, UnknownAlarm, UnknownChannel, UnknownContact
from alerts.event import Event
from alerts.ledger import Ledger
from alerts.message import shelving_text, test_text
from alerts.orphans import orphaned
from alerts.outbox import Outbox
from alerts.rescue import open_or_renew
from alerts.routing import Delivery
from alerts.show import Show
from alerts.store import Store
from alerts.views import AlarmView
from config.model import Config

KEEP = timedelta(days=400)
_FARTHEST = timedelta(minutes=10)  # no due time is ever put farther ahead

_log = structlog.get_logger(__name__)


class Desk(Show):
    """Alarms, events and notifications of one host.

    Every method is one short transaction, may be called from any thread, and has happened wholly or not at all.
    What fails raises `alerts.errors.AlertsError`; the caller may tell the same again later.

    Attributes:
        clock: what escalation counts by.
        outbox: the queue, for the dispatcher.
    """

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        super().__init__(store)
        self.clock = clock
        self.outbox = Outbox(store)
        self._config = config
        self._ledger = Ledger(config)
        self._listeners: list[Callable[[Event], None]] = []

    @classmethod
    def open(cls, path: Path, config: Config, *, clock: Clock | None = None) -> "Desk":
        """Open the state file, or make it; drop what is older than 400 days; clear what is no longer configured.

        One that is damaged is put aside, and a damaged alarm is dropped, which is an alarm until the next start.

        Raises:
            StoreError: the file cannot be used.
        """
        store, damaged = open_or_renew(path)
        try:
            desk = cls(store, config, clock or SteadyClock())
            lost = [damaged.name] if damaged is not None else []
            lost += desk._settle()
            if lost:
                desk.apply(damaged_condition(", ".join(lost), config.site, desk.clock()), part=STORE)
        except BaseException:
            store.close()
            raise
        return desk

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._store.close()

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call back after each commit, in the thread that committed; the callback must be quick.

        Returns:
            What ends it.
        """
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None

    def apply(self, condition: Condition, *, part: str = "") -> Event | None:
        """Take a condition in: raise, clear or regrade. None when it says nothing new.

        Raises:
            StoreError: it could not be kept; tell it again.
        """
        with self._guard:
            self._newest[condition.alarm] = condition
        with self._store.reading(f"look up {condition.alarm}") as db:
            if life.on_condition(rows.alarm(db, condition.alarm), condition, part) is None:
                return None
        with self._store.transaction(f"apply {condition.alarm}") as db:
            step = life.on_condition(rows.alarm(db, condition.alarm), condition, part)
            event = self._ledger.enter(db, step, condition.at, self.clock()) if step else None
        return None if event is None else self._announced(event)

    def acknowledge(self, alarm: str, by: str, note: str, at: datetime) -> Event:
        """Somebody takes an alarm: nothing calls for it any more, and those who were told hear of it.

        Raises:
            UnknownAlarm, UnknownContact, NothingToAcknowledge: as they say.
            StoreError: it could not be kept.
        """
        self._contact("acknowledge by", by)
        with self._store.transaction(f"acknowledge {alarm}") as db:
            view = rows.alarm(db, alarm)
            if view is None:
                raise UnknownAlarm("acknowledge", alarm)
            event = self._ledger.enter(db, life.on_acknowledge(view, by, at), at, self.clock(), note=note, by=by)
        return self._announced(event)

    def shelve(self, alarm: str, duration: timedelta, by: str, reason: str, at: datetime) -> Event:
        """Silence an alarm for a time; it ends by itself. An alarm may be shelved before it ever was raised.

        Raises:
            UnknownAlarm, UnknownContact, ShelvingRefused: as they say.
            StoreError: it could not be kept.
        """
        self._contact("shelve by", by)
        note = shelving_text(self._config.site, duration, by, reason)
        with self._store.transaction(f"shelve {alarm}") as db:
            view = rows.alarm(db, alarm) or self._configured(alarm, at)
            # The desk's clock may be ahead of the wall's, which was set back: the time must not be over at once.
            step = life.on_shelve(view, duration, by, reason, max(at, self.clock()))
            event = self._ledger.enter(db, step, at, self.clock(), note=note, by=by)
        return self._announced(event)

    def unshelve_due(self, now: datetime) -> list[Event]:
        """End the shelvings whose time is over: what still holds is raised anew."""
        with self._store.reading("look for shelvings") as db:
            names = rows.shelved(db, now)
        return self._each(names, lambda db, name: self._unshelve(db, name, now))

    def attach(self, alarm: str, text: str) -> None:
        """Let the alarm's next message carry a line.

        Raises:
            UnknownAlarm: there is none.
        """
        with self._store.transaction(f"attach to {alarm}") as db:
            view = rows.alarm(db, alarm)
            if view is None:
                raise UnknownAlarm("attach to", alarm)
            rows.keep_alarm(db, replace(view, attached=text))

    def inform(self, alarm: str, text: str, at: datetime) -> Event:
        """Tell something about an alarm at once to all who were told of it.

        Raises:
            UnknownAlarm: there is none.
        """
        with self._store.transaction(f"inform of {alarm}") as db:
            view = rows.alarm(db, alarm)
            if view is None:
                raise UnknownAlarm("inform of", alarm)
            event = self._ledger.inform(db, view, text, at, self.clock())
        return self._announced(event)

    def test(self, contact: str | None, channel: str | None, at: datetime) -> list[str]:
        """Send a test by one channel or all, to one contact or all.

        Returns:
            The ids of the notifications: `attempts` tells what came of each. A test is tried once.

        Raises:
            UnknownContact, UnknownChannel, NobodyToTell: as they say.
        """
        due = self._everybody(contact, channel)
        with self._store.transaction("send test") as db:
            event = self._ledger.test(db, test_text(self._config.site), due, at, self.clock())
            made = history.notifications(db, event.id, len(due))
        self._announced(event)
        return sorted(view.id for view in made)

    def advance(self, now: datetime) -> list[Event]:
        """Repeat and escalate what is due and nobody has acknowledged."""
        with self._guard:
            newest = dict(self._newest)
        with self._store.reading("look for escalations") as db:
            names = rows.calling(db, now)
        return self._each(names, lambda db, name: self._ledger.call(db, name, newest.get(name), now))

    def _each(self, names: list[str], work: Callable[[sqlite3.Connection, str], Event | None]) -> list[Event]:
        """Do something for alarms, each in its own transaction; a failure is raised when the rest is done."""
        found, errors = [], []
        for name in names:
            try:
                with self._store.transaction(f"advance {name}") as db:
                    event = work(db, name)
            except StoreError as error:
                errors.append(error)
            else:
                found += [self._announced(event)] if event else []
        if errors:
            raise errors[0]
        return found

    def _unshelve(self, db: sqlite3.Connection, name: str, now: datetime) -> Event | None:
        view = rows.alarm(db, name)
        step = life.on_unshelve(view, now) if view else None
        return self._ledger.enter(db, step, now, now) if step else None

    def _settle(self) -> list[str]:
        """Begin from what is configured now. Returns the alarms that could not be read."""
        now = self.clock()
        with self._store.transaction("tidy up") as db:
            lost = rows.drop_damaged(db)
            rows.prune(db, now - KEEP)
            queue.restrain(db, now + _FARTHEST)
            self._ledger.reroute(db, now)
            for view in rows.alarms(db, every=False):
                if (sooner := life.restrained(view, now)) is not view:
                    rows.keep_alarm(db, sooner)
            active = [view for view in rows.alarms(db, every=True) if view.active]
        for view in active:
            if reason := orphaned(view, self._config):
                self.apply(cleared(view, reason, now), part=view.part)
        return lost

    def _everybody(self, contact: str | None, channel: str | None) -> list[Delivery]:
        channels = [each.id for each in self._config.channel]
        if contact is not None:
            self._contact("send test to", contact)
        if channel is not None and channel not in channels:
            raise UnknownChannel("send test by", channel, channels)
        contacts = [contact] if contact else [each.id for each in self._config.contact]
        chosen = [channel] if channel else channels
        for what, found in (("contact", contacts), ("channel", chosen)):
            if not found:
                raise NobodyToTell(what)
        return [Delivery(who, (way,)) for who in contacts for way in chosen]

    def _contact(self, verb: str, name: str) -> None:
        known = [contact.id for contact in self._config.contact]
        if name not in known:
            raise UnknownContact(verb, name, known)

    def _configured(self, name: str, at: datetime) -> AlarmView:
        for alarm in self._config.alarm:
            if alarm.id == name:
                text = alarm.text or name
                return AlarmView(id=name, severity=alarm.severity, peak=alarm.severity, text=text, changed_at=at)
        raise UnknownAlarm("shelve", name)

    def _announced(self, event: Event) -> Event:
        for callback in list(self._listeners):
            try:
                callback(event)
            except Exception:  # noqa: BLE001 - one bad listener never stops the rest; the event is committed
                _log.exception("listener raised", event_id=event.id)
        return event
