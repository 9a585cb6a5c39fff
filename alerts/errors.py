"""Errors of the alerts package.

AlertsError
├── StoreError            the state file cannot be opened, read or written
│   └── DamagedError      what it holds is no database any more
├── UnknownAlarm          no alarm has this id
├── UnknownContact        no contact has this id
├── UnknownChannel        no channel has this id
├── NothingToAcknowledge  the alarm waits for nobody
├── ShelvingRefused       the alarm cannot be shelved like this
└── NobodyToTell          a test has no contact or no channel
DeliveryError             one try of one channel did not work; only the dispatcher sees it
"""

from enum import StrEnum


class AlertsError(Exception):
    """Something about an alarm or a notice did not work.

    Attributes:
        hint: the operator's next step.
    """

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class StoreError(AlertsError):
    """The state file cannot be opened, read or written. Nothing of the failed step is kept."""


class DamagedError(StoreError):
    """What the state file holds is no database any more: only a new one helps."""


class UnknownAlarm(AlertsError):  # noqa: N818 - the glossary's word, as users see it
    """No alarm has this id."""

    def __init__(self, verb: str, alarm: str) -> None:
        super().__init__(f"{verb} {alarm}: no such alarm", "list them with `bongsu alarms --all`")


class UnknownContact(AlertsError):  # noqa: N818
    """No contact has this id."""

    def __init__(self, verb: str, contact: str, known: list[str]) -> None:
        super().__init__(f"{verb} {contact}: no such contact", f"known contacts: {', '.join(known) or 'none'}")


class UnknownChannel(AlertsError):  # noqa: N818
    """No channel has this id."""

    def __init__(self, verb: str, channel: str, known: list[str]) -> None:
        super().__init__(f"{verb} {channel}: no such channel", f"known channels: {', '.join(known) or 'none'}")


class NothingToAcknowledge(AlertsError):  # noqa: N818
    """The alarm waits for nobody."""

    def __init__(self, alarm: str, state: str) -> None:
        super().__init__(f"acknowledge {alarm}: it is {state}", "only an unacknowledged alarm waits for somebody")


class ShelvingRefused(AlertsError):  # noqa: N818
    """The alarm cannot be shelved like this."""

    def __init__(self, alarm: str, cause: str) -> None:
        super().__init__(f"shelve {alarm}: {cause}", "give a time longer than 0, such as 2h, and a reason")


class NobodyToTell(AlertsError):  # noqa: N818
    """A test has no contact or no channel to go to."""

    def __init__(self, what: str) -> None:
        super().__init__(f"send test: no {what} configured", f"add a [[{what}]] to the configuration")


class Reason(StrEnum):
    """Why a delivery failed: the closed set that the metric's label has."""

    REFUSED = "refused"  # nobody listens there
    TIMEOUT = "timeout"  # no answer in time
    REJECTED = "rejected"  # the far side does not want this message
    UNAVAILABLE = "unavailable"  # the far side, or the way to it, is out of order for now
    DISK = "disk"  # it could not be written
    TLS = "tls"  # the far side's certificate is not trusted
    CONFIG = "config"  # no try can work before somebody corrects the configuration
    INTERNAL = "internal"  # a fault of our own


class DeliveryError(Exception):
    """One try of one channel did not work.

    Attributes:
        reason: why, from a closed set.
        permanent: whether the same message can never go by this channel.
        hint: the operator's next step.
    """

    def __init__(self, reason: Reason, text: str, hint: str, *, permanent: bool = False) -> None:
        super().__init__(text)
        self.reason = reason
        self.permanent = permanent
        self.hint = hint
