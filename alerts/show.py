"""What people see of the state file."""

import threading

from msgspec.structs import replace

from alerts import history, rows
from alerts.condition import Condition
from alerts.errors import UnknownAlarm
from alerts.event import Event
from alerts.store import Store
from alerts.views import AlarmView, AttemptView, NotificationView


class Show:
    """The reading half of the desk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._newest: dict[str, Condition] = {}
        self._guard = threading.Lock()

    def alarms(self, all: bool = False) -> list[AlarmView]:  # noqa: A002 - as the command says it
        """Return the alarms that are not normal, or all that ever were, newest change first, with their newest value.

        An alarm that was never raised is not in the list.
        """
        with self._store.reading("list alarms") as db:
            found = rows.alarms(db, every=all)
        return [self._fresh(view) for view in found]

    def alarm(self, name: str) -> AlarmView:
        """Return one alarm.

        Raises:
            UnknownAlarm: it never was.
        """
        with self._store.reading(f"show {name}") as db:
            view = rows.alarm(db, name)
        if view is None:
            raise UnknownAlarm("show", name)
        return self._fresh(view)

    def active_of(self, part: str) -> list[AlarmView]:
        """Return the alarms of one part whose condition holds."""
        with self._store.reading("list alarms") as db:
            return rows.active_of(db, part)

    def events(self, after_id: str = "", limit: int = 100) -> list[Event]:
        """Return the events after an id, oldest first."""
        with self._store.reading("list events") as db:
            return rows.events(db, after_id, limit)

    def newest_events(self, limit: int = 100) -> list[Event]:
        """Return the last events, newest first."""
        with self._store.reading("list events") as db:
            return rows.newest_events(db, limit)

    def notifications(self, event: str | None = None, limit: int = 100) -> list[NotificationView]:
        """Return notifications, newest first: of one event, or of all."""
        with self._store.reading("list notifications") as db:
            return history.notifications(db, event, limit)

    def attempts(self, notification: str | None = None, limit: int = 100) -> list[AttemptView]:
        """Return attempts, newest first: of one notification, or of all."""
        with self._store.reading("list attempts") as db:
            return history.attempts(db, notification, limit)

    def _fresh(self, view: AlarmView) -> AlarmView:
        """Show the value of the newest condition: a drift of the value alone is not written down."""
        with self._guard:
            newest = self._newest.get(view.id)
        if newest is None or not (newest.active and view.active):
            return view
        return replace(view, text=newest.text, value=newest.value, limit=newest.limit, reason=newest.reason)
