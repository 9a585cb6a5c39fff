"""What the replicator tells of itself, and how far an evacuation is."""

from typing import Any

import msgspec

from alerts.condition import Condition


class Evacuation(msgspec.Struct, frozen=True, kw_only=True):
    """How far the documents have left since an alarm.

    Attributes:
        point: the recovery point's name.
        sealed: whether the vault has it durably, for every source.
        pending: files still here, over all sources.
        pending_bytes: their bytes, as far as known.
        oldest_ns: when the oldest of their changes was seen, 0 when there is none.
        complete: everything that was here when the alarm came is durable at the vault, and sealed again.
    """

    point: str
    sealed: bool
    pending: int
    pending_bytes: int
    oldest_ns: int
    complete: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole picture at one moment; `status` can be written as JSON."""

    conditions: list[Condition]
    status: dict[str, Any]
    evacuations: dict[str, Evacuation]
