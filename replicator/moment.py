"""Times as people write them on the command line."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from replicator.errors import TimeError

_TEXT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?\s*([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HINT = 'write RFC 3339 like "2026-11-22T14:03:05.123+09:00", or local time like "2026-11-22 14:03:05"'


def parse_time(text: str, zone: ZoneInfo) -> int:
    """Read RFC 3339, or local time `2026-11-22 14:03[:05[.123]]` in the site's zone.

    Args:
        text: as typed.
        zone: the site's, for times without an offset.

    Returns:
        Nanoseconds since 1970 in UTC.

    Raises:
        TimeError: it is no time, or a local time that does not exist or exists twice.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise TimeError(f"read time {text!r}: it is none", hint=_HINT)
    day, clock, fraction, offset = match.groups()
    try:
        if offset is None:
            moment = _local(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone), text)
        else:
            moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if offset in 'Zz' else offset}")
    except ValueError as error:
        raise TimeError(f"read time {text!r}: {error}", hint=_HINT) from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def _local(moment: datetime, text: str) -> datetime:
    """The same moment, when the clock of its zone shows it exactly once."""
    later = moment.replace(fold=1)
    if moment.utcoffset() != later.utcoffset():
        raise TimeError(f"read time {text!r}: the clock is set there", hint=_HINT)
    return moment
