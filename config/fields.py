"""Field types that sections share: each checks itself and says what it wants."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?)(i?)[bB]?(?:/s)?")
_POWER = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Section(BaseModel):
    """One section of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def parse_duration(text: object) -> timedelta:
    """Read `500ms`, `10s`, `3m`, `2h`, `7d`, `4w`, `1y` (365 days).

    Raises:
        ValueError: it is not a duration.
    """
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'{text!r} is not a duration: write "500ms", "10s", "3m", "2h" or "7d"')
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def parse_size(text: object) -> int:
    """Read bytes: `0`, `"1500000"`, `"10M"` (decimal), `"10Mi"` (binary).

    Raises:
        ValueError: it is not a number of bytes.
    """
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'{text!r} is not a number of bytes: write "0", "500k" or "10M"')
    return int(float(match[1]) * (1024 if match[3] else 1000) ** _POWER[match[2]])


def _identifier(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(f"{text!r} is not an id: letters, digits, - and _, at most 64, a letter or digit first")
    return text


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("it must be longer than 0")
    return value


def _from_text(value: Any) -> Any:
    return Path(value) if isinstance(value, str) and value else value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Period = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(_positive)]
Size = Annotated[int, BeforeValidator(parse_size)]
Identifier = Annotated[str, AfterValidator(_identifier)]
# A path as written; `load` makes it absolute against the file that it stands in.
FilePath = Annotated[Path, BeforeValidator(_from_text)]
