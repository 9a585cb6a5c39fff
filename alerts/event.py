"""A change that somebody may need to know."""

import secrets
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from config.model import Severity

_COUNTERS = 0x10000


class Kind(StrEnum):
    """What happened. Receivers rely on these words."""

    RAISED = "raised"
    REPEATED = "repeated"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"
    INFO = "info"
    TEST = "test"


#: Kinds that go on until somebody acknowledges.
CALLING = (Kind.RAISED, Kind.REPEATED, Kind.ESCALATED)
#: The reason of an `info` that another part asked for, as `Desk.inform` writes it.
INFORMED = "informed"


class State(StrEnum):
    """The state of an alarm, as in ISA-18.2."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned-unacknowledged"
    SHELVED = "shelved"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A committed change of an alarm.

    Attributes:
        id: unique, 24 characters; sorts by the order of commit.
        kind: what happened.
        alarm: the alarm's id; empty for a test.
        occurrence: the id of the event that raised the alarm this time; empty when it was never raised.
        state: the alarm's state after the event.
        severity: the severity at the event.
        text: what and where, for people.
        value: the value with its unit, or empty.
        limit: the limit that was passed, or empty.
        reason: why, for logs and labels.
        at: when, with a zone.
        note: what a person, or another part, added.
        by: the contact who acted, or empty.
        message: the whole text that people receive.
    """

    id: str
    kind: Kind
    alarm: str
    state: State
    severity: Severity
    text: str
    at: datetime
    occurrence: str = ""
    value: str = ""
    limit: str = ""
    reason: str = ""
    note: str = ""
    by: str = ""
    message: str = ""


def next_id(last: str, now: datetime) -> str:
    """Return an id that sorts after `last`, even if the clock went back.

    Twelve hexadecimal digits of milliseconds, four of a counter, eight of chance (two sites, or one site whose state
    was lost, never share one).
    """
    millis = int(now.astimezone(UTC).timestamp() * 1000)
    if last and int(last[:12], 16) >= millis:
        millis, counter = divmod(int(last[:16], 16) + 1, _COUNTERS)
    else:
        counter = 0
    return f"{millis:012x}{counter:04x}{secrets.token_hex(4)}"
