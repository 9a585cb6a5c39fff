"""What the desk shows of its rows."""

from datetime import datetime
from enum import StrEnum

import msgspec

from alerts.event import Kind, State
from config.model import Severity


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm as it stands.

    Attributes:
        id: the alarm's id.
        state: where it is in its life.
        active: whether its condition holds, shelved or not.
        severity: how bad it is now.
        peak: the worst that this occurrence was; its routes go by it.
        text, value, limit, reason: as in the condition told last.
        evacuate: whether the documents must leave while it is active.
        part: the part that reports it; empty for the monitor's own.
        occurrence: the id of the event that raised it, or empty.
        raised_at: when this occurrence began.
        changed_at: when its state changed last.
        acknowledged_by, acknowledged_at: who took it, and when.
        shelved_by, shelved_until: who shelved it, and until when.
        attached: a line that its next message will carry.
    """

    id: str
    state: State = State.NORMAL
    active: bool = False
    severity: Severity
    peak: Severity
    text: str = ""
    value: str = ""
    limit: str = ""
    reason: str = ""
    evacuate: bool = False
    part: str = ""
    occurrence: str = ""
    raised_at: datetime | None = None
    changed_at: datetime
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    shelved_by: str = ""
    shelved_until: datetime | None = None
    attached: str = ""


class Progress(StrEnum):
    """How far a notification is."""

    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    CANCELLED = "cancelled"


class NotificationView(msgspec.Struct, frozen=True, kw_only=True):
    """An event due to a contact.

    Attributes:
        id: unique; every try and every double of it carries this id.
        event, kind, alarm: the event that it tells.
        contact: to whom.
        channel: the channel that is tried now, or was tried last.
        progress: how far it is.
        attempts: how often it was tried.
        reason: why it is as it is.
        created_at: when it was made.
        due_at: when it is tried next; none when it is finished or due at once.
        finished_at: when it was accepted, given up or cancelled.
    """

    id: str
    event: str
    kind: Kind
    alarm: str
    contact: str
    channel: str
    progress: Progress
    attempts: int
    reason: str
    created_at: datetime
    due_at: datetime | None
    finished_at: datetime | None


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One try to deliver a notification.

    Attributes:
        notification: whose.
        channel: by which channel.
        number: which try it was, from 1.
        accepted: whether the channel took it. Accepted is not yet read by anybody.
        reason: why not, from the closed set; empty when accepted.
        text: the channel's words.
        started_at, finished_at: from when to when.
    """

    notification: str
    channel: str
    number: int
    accepted: bool
    reason: str
    text: str
    started_at: datetime
    finished_at: datetime
