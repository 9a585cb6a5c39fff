"""Field types that sections share: each checks itself and says what it wants."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationInfo

from config.address import check_web, parse_bus, parse_link, parse_listen, parse_vault
from config.errors import FieldError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?)(i?)[bB]?(?:/s)?")
_POWER = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}
_LONGEST = 100 * _SECONDS["y"]
_LARGEST = 2**60
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Section(BaseModel):
    """One section of the file: unknown keys are errors, values do not change."""

    # Made ready when it is first used: within the whole file, a section never is by itself.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, defer_build=True)


def parse_duration(text: object) -> timedelta:
    """Read `500ms`, `10s`, `3m`, `2h`, `7d`, `4w`, `1y` (365 days).

    Raises:
        ValueError: it is not a duration.
    """
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise FieldError(f"{text!r} is not a duration", 'write "500ms", "10s", "3m", "2h" or "7d"')
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST:
        raise FieldError(f"{text!r} is too long", "at most 100y")
    return timedelta(seconds=seconds)


def show_duration(duration: timedelta) -> str:
    """Write a duration as the file has it, in the largest unit that it is a whole number of: `5m`, `90s`, `250ms`."""
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(duration.total_seconds(), _SECONDS[unit])
        if count and not rest:
            return f"{count:.0f}{unit}"
    return f"{duration.total_seconds() * 1000:.0f}ms" if duration else "0s"


def parse_size(text: object) -> int:
    """Read bytes: `0`, `"1500000"`, `"10M"` (decimal), `"10Mi"` (binary).

    Raises:
        ValueError: it is not a number of bytes.
    """
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    size = float(match[1]) * (1024 if match[3] else 1000) ** _POWER[match[2]] if match else float("inf")
    if size > _LARGEST:
        raise FieldError(f"{text!r} is not a number of bytes", 'write "0", "500k" or "10M"')
    return int(size)


def _identifier(text: str) -> str:
    if not _ID.fullmatch(text):
        raise FieldError(f"{text!r} is not an id", "letters, digits, - and _, at most 64, a letter or digit first")
    return text


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise FieldError("it must be longer than 0", 'write "500ms", "10s", "3m", "2h" or "7d"')
    return value


def _printable(text: str) -> str:
    if any(not sign.isprintable() for sign in text):
        raise FieldError("it holds signs that cannot be printed", "one line of text, without tabs")
    return text


def _path(value: Any) -> Any:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise FieldError("it is not a path", 'write one like "/srv/bongsu"')
    if value.startswith("~"):
        raise FieldError(f"{value!r} begins with ~, which nobody expands", "write the whole path")
    return Path(value)


def _absolute(path: Path, info: ValidationInfo) -> Path:
    folder = info.context.get("folder") if isinstance(info.context, dict) else None
    return folder / path if isinstance(folder, Path) else path


def _address(parse: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Period = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(_positive)]
Size = Annotated[int, BeforeValidator(parse_size)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Text = Annotated[str, AfterValidator(_printable)]
# TOML knows `nan` and `inf`, and a limit of either is never passed. Nor is `true` a number.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Flag = StrictBool
# A path; made absolute against the folder of the file that it stands in.
FilePath = Annotated[Path, BeforeValidator(_path), AfterValidator(_absolute)]
ListenAt = Annotated[str, _address(parse_listen)]
VaultUrl = Annotated[str, _address(parse_vault)]
BusUrl = Annotated[str, _address(parse_bus)]
LinkUrl = Annotated[str, _address(parse_link)]
WebUrl = Annotated[str, _address(check_web)]
