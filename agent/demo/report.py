"""What was measured and what was proven, as JSON for people and programs."""

from pathlib import Path

import msgspec


class AlarmReport(msgspec.Struct, kw_only=True):
    """One alarm of the disaster.

    Attributes:
        alarm: its id.
        message_seconds: from raised to arrived at the sink; None when it never arrived.
        written: whether the file channel has its message too.
        text: the message as people got it.
    """

    alarm: str
    message_seconds: float | None = None
    written: bool = False
    text: str = ""


class Durable(msgspec.Struct, kw_only=True):
    """Document changed to durable at the vault: quantiles in seconds, and of how many changes."""

    p50: float | None = None
    p99: float | None = None
    count: int = 0


class Report(msgspec.Struct, kw_only=True):
    """The whole demonstration.

    Attributes:
        passed: every alarm was delivered and every file came back.
        faults: why not.
        seconds: how long it took.
        first_reading_seconds: from the start to the first good reading.
        alarms: those of the disaster, in the order of its script.
        messages: how many messages arrived at the sink.
        calm: changes before the disaster, under the bandwidth limit.
        durable: all changes, those that waited for the limit included.
        evacuated_seconds: from the first message to nothing left in the building that was saved before it.
        files: how many files the folder held at the end.
        bytes: and their bytes.
        restored_equal: whether a restore from the vault alone was equal to the folder; None: not tried.
        differences: how it was not, the first twenty.
        verified: whether `bongsu verify` found the vault sound; None: not tried.
    """

    v: int = 1
    passed: bool = False
    faults: list[str] = []
    seconds: float = 0.0
    first_reading_seconds: float | None = None
    alarms: list[AlarmReport] = []
    messages: int = 0
    calm: Durable = msgspec.field(default_factory=Durable)
    durable: Durable = msgspec.field(default_factory=Durable)
    evacuated_seconds: float | None = None
    files: int = 0
    bytes: int = 0
    restored_equal: bool | None = None
    differences: list[str] = []
    verified: bool | None = None

    def write(self, path: Path) -> None:
        """Write it as JSON.

        Raises:
            OSError: the file cannot be written.
        """
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")
