"""Hours of the week: on which days, from when to when."""

import re
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from config.errors import FieldError
from config.fields import Section, Size

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)


def _clock(text: object) -> timedelta:
    if isinstance(text, timedelta):
        return text
    match = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise FieldError(f"{text!r} is not a time of day", 'write one like "09:00"; the end of the day is "24:00"')
    return timedelta(hours=int(match[1]), minutes=int(match[2])) if match[1] else _DAY


def _days(text: object) -> frozenset[int]:
    """Read `mon-fri`, `sat,sun`, `fri-mon`: 0 is Monday."""
    if isinstance(text, frozenset):
        return text
    found: set[int] = set()
    for part in text.split(",") if isinstance(text, str) else [""]:
        first, dash, last = (word.strip().lower() for word in part.partition("-"))
        if first not in _DAYS or (dash and last not in _DAYS):
            raise FieldError(f"{text!r} names no days", 'write "mon-fri", "sat,sun" or "mon"')
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        found |= {(start + step) % 7 for step in range((end - start) % 7 + 1)}
    return frozenset(found)


def _before_midnight(value: timedelta) -> timedelta:
    if value >= _DAY:
        raise FieldError("no hours begin at the end of a day", 'write from = "00:00"')
    return value


_Clock = Annotated[timedelta, BeforeValidator(_clock)]


class Hours(Section):
    """Another bandwidth on these days from one time of day to another; one that ends before it begins ends tomorrow.

    Attributes:
        from_: since midnight, this minute included.
        to: since midnight, this minute not included.
        days: those on which it begins, 0 is Monday.
        bandwidth: bytes a second; 0 is no limit.
    """

    from_: Annotated[_Clock, AfterValidator(_before_midnight)] = Field(alias="from")
    to: _Clock
    days: Annotated[frozenset[int], BeforeValidator(_days)] = frozenset(range(7))
    bandwidth: Size

    @model_validator(mode="after")
    def _not_empty(self) -> "Hours":
        if self.from_ == self.to:
            raise FieldError("it begins when it ends", 'a whole day is from = "00:00", to = "24:00"')
        return self

    def covers(self, local: datetime) -> bool:
        """Whether a moment, by the clock on the wall there, lies in these hours."""
        since = timedelta(hours=local.hour, minutes=local.minute)
        today, yesterday = local.weekday() in self.days, (local.weekday() - 1) % 7 in self.days
        if self.from_ < self.to:
            return today and self.from_ <= since < self.to
        return (today and since >= self.from_) or (yesterday and since < self.to)


def bandwidth_at(local: datetime, bandwidth: int, hours: list[Hours]) -> int:
    """Bytes a second at a moment by the clock on the wall: of the first hours that cover it, else `bandwidth`."""
    return next((each.bandwidth for each in hours if each.covers(local)), bandwidth)
