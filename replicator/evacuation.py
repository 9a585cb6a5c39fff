"""Evacuations: what an alarm asks of the replicator, how far it is, and which seals are due."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from replicator.report import Evacuation
from replicator.source import Source


class SealDue(NamedTuple):
    """A recovery point that the vault should name now."""

    alarm: str
    source: Source
    name: str
    last: bool


class _Course:
    """One evacuation. A seal is wanted, said or durable; what was only said is said again on the next connection."""

    def __init__(self, name: str, began_ns: int) -> None:
        self.name = name
        self.began_ns = began_ns
        self.said: set[tuple[str, bool]] = set()
        self.durable: set[tuple[str, bool]] = set()


class Evacuations:
    """All that are running. Started twice it is one; one that is ended is forgotten, its recovery points stay."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}
        #: Set while one is running.
        self.running = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._courses)

    def start(self, alarm: str, name: str, began_ns: int) -> bool:
        """Documents must leave; whether it is news."""
        if alarm in self._courses:
            return False
        self._courses[alarm] = _Course(name, began_ns)
        self.running.set()
        return True

    def end(self, alarm: str) -> bool:
        """They need not any more; whether it was running."""
        ended = self._courses.pop(alarm, None) is not None
        if not self._courses:
            self.running.clear()
        return ended

    def reconnected(self) -> None:
        """What was said and is not durable must be said again."""
        for course in self._courses.values():
            course.said = set(course.durable)

    def due(self, sources: Iterable[Source]) -> list[SealDue]:
        """The seals that can be said now; they count as said."""
        seals = []
        for alarm, course in self._courses.items():
            for source in sources:
                for last in (False, True):
                    key = (source.id, last)
                    if key in course.said or (last and not _out(source, course.began_ns)):
                        continue
                    course.said.add(key)
                    name = f"{course.name} complete" if last else course.name
                    seals.append(SealDue(alarm, source, name, last))
        return seals

    def durable(self, seal: SealDue) -> None:
        """The vault has it."""
        course = self._courses.get(seal.alarm)
        if course is not None:
            course.durable.add((seal.source.id, seal.last))

    def refused(self, seal: SealDue) -> None:
        """The vault did not take it (a full disk): it is to be said again."""
        course = self._courses.get(seal.alarm)
        if course is not None and (seal.source.id, seal.last) not in course.durable:
            course.said.discard((seal.source.id, seal.last))

    def view(self, sources: list[Source]) -> dict[str, Evacuation]:
        """How far each is."""
        oldest = [source.pending.oldest_ns for source in sources if source.pending.oldest_ns]
        return {
            alarm: Evacuation(
                point=course.name,
                sealed=all((source.id, False) in course.durable for source in sources),
                pending=sum(len(source.pending) for source in sources),
                pending_bytes=sum(source.pending.bytes for source in sources),
                oldest_ns=min(oldest, default=0),
                complete=all((source.id, True) in course.durable for source in sources),
            )
            for alarm, course in self._courses.items()
        }


def _out(source: Source, began_ns: int) -> bool:
    """Whether all that was there when the alarm came is durable; nobody can say that of a source that is not seen."""
    if source.sight.missing or source.sight.blind_since_ns or not source.trusted or source.pending.aside:
        return False
    oldest = source.pending.oldest_ns
    return not oldest or oldest > began_ns
