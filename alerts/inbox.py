"""The durable intake for what other parts report: a report holds all that is true of its part now."""

from collections.abc import Iterable
from datetime import datetime

from alerts.condition import Condition
from alerts.conditions import cleared
from alerts.desk import Desk
from alerts.event import Event


class Inbox:
    """Turns whole reports into raised and cleared alarms. The same report twice does nothing more."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def report(self, part: str, conditions: Iterable[Condition], at: datetime) -> list[Event]:
        """Apply what a part reports; alarms of the part that it no longer reports are cleared.

        Args:
            part: the reporting part, such as `replicator`.
            conditions: everything that it holds to be true.
            at: when it reported.

        Returns:
            What changed.

        Raises:
            StoreError: some of it could not be kept, and the rest was; report again.
        """
        told = list(conditions)
        names = {condition.alarm for condition in told}
        gone = [view for view in self._desk.active_of(part) if view.id not in names]
        found, errors = [], []
        for condition in [*told, *(cleared(view, "no longer reported", at) for view in gone)]:
            try:
                found.append(self._desk.apply(condition, part=part))
            except Exception as error:  # noqa: BLE001 - one bad condition never stops the rest; it is raised after them
                errors.append(error)
        if errors:
            raise errors[0]
        return [event for event in found if event is not None]
