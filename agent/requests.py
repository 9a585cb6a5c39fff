"""What is asked at a control socket: one JSON object a line, told apart by `do`."""

from typing import Any

import msgspec

from alerts.condition import Condition


class _Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    """Base of every request."""


class Status(_Request, frozen=True, kw_only=True, tag="status"):
    """How is the daemon, and what does it see? Every daemon answers it."""


class Alarms(_Request, frozen=True, kw_only=True, tag="alarms"):
    """Which alarms are there, newest first; `all` includes those that are normal again."""

    all: bool = False


class Acknowledge(_Request, frozen=True, kw_only=True, tag="ack"):
    """Somebody has taken an alarm on."""

    alarm: str
    by: str
    note: str = ""


class Shelve(_Request, frozen=True, kw_only=True, tag="shelve"):
    """Keep an alarm quiet for a time, which ends by itself."""

    alarm: str
    seconds: float
    by: str
    reason: str


class SendTest(_Request, frozen=True, kw_only=True, tag="send-test"):
    """Send a test message to one contact or all, by one channel or all."""

    contact: str | None = None
    channel: str | None = None


class Attempts(_Request, frozen=True, kw_only=True, tag="attempts"):
    """What came of these notifications?"""

    notifications: list[str]


class Evacuation(msgspec.Struct, frozen=True, kw_only=True):
    """How far an evacuation is.

    Attributes:
        point: the recovery point's name.
        sealed: whether the vault holds the recovery point.
        pending: files that are still only here.
        pending_bytes: their bytes.
        oldest_ns: when the oldest of them was seen, nanoseconds since 1970; 0 when there is none.
        complete: whether everything is at the vault.
    """

    point: str = ""
    sealed: bool = False
    pending: int = 0
    pending_bytes: int = 0
    oldest_ns: int = 0
    complete: bool = False


class Report(_Request, frozen=True, kw_only=True, tag="report"):
    """A part tells the monitor how it is: at every change and each second."""

    part: str
    conditions: list[Condition] = []
    status: dict[str, Any] = {}
    evacuations: dict[str, Evacuation] = {}


Request = Status | Alarms | Acknowledge | Shelve | SendTest | Attempts | Report

_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


def decode(line: bytes) -> Request:
    """Read one request.

    Raises:
        msgspec.DecodeError: it is no JSON, or no request that we know.
    """
    return _decoder.decode(line)


def encode(message: object) -> bytes:
    """Write one message as a line; times come out as RFC 3339."""
    return msgspec.json.encode(message, enc_hook=_encode_other) + b"\n"


def _encode_other(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def plain(value: object) -> Any:
    """Return what JSON can carry of a struct: dictionaries, lists, texts, numbers; times as RFC 3339."""
    return msgspec.to_builtins(value, enc_hook=_encode_other)
