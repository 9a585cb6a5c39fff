"""A point's value, quality and time."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Quality(StrEnum):
    """How far a value may be believed."""

    GOOD = "good"
    BAD = "bad"
    LOST = "lost"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One value of one point.

    Attributes:
        device: the device's id.
        point: the point's name in the profile.
        value: in `unit`; None unless the quality is good, never an old number.
        unit: as people write it: `°C`, `%`; empty for yes and no.
        quality: `good`, `bad` (the device answered, the value cannot be believed) or `lost` (it does not answer).
        at: when the answer came, or when the point was found lost; with a zone.
        reason: why it is not good; empty when it is.
    """

    device: str
    point: str
    value: float | bool | None
    unit: str
    quality: Quality
    at: datetime
    reason: str = ""

    @property
    def name(self) -> str:
        """The point as the configuration writes it: `rack1.temperature`."""
        return f"{self.device}.{self.point}"
