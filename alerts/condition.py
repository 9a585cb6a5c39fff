"""What a part of the system holds to be true now: the input of every alarm."""

from datetime import datetime

import msgspec

from config.model import Severity


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm's condition at one moment, active or not.

    Told again without change it does nothing: whoever tells it may tell it as often as it likes.

    Attributes:
        alarm: the alarm's id, `rack1-hot` or `lost:rack1`.
        active: whether the condition holds.
        severity: how bad it is when it holds.
        text: what and where, for people: `랙1 온도`.
        value: the value with its unit, as text, or empty: `35.2°C`.
        limit: the limit that it passed, as text, or empty: `32.0°C 초과`.
        reason: why it is active or not, for logs and labels.
        evacuate: whether the documents must leave the building at once.
        at: when it was found, with a zone.
    """

    alarm: str
    active: bool
    severity: Severity
    text: str
    at: datetime
    value: str = ""
    limit: str = ""
    reason: str = ""
    evacuate: bool = False
