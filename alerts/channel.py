"""The seam to everything that carries a message out of the building."""

from datetime import datetime
from typing import Any, Protocol

import msgspec

from alerts.errors import DeliveryError, Reason
from alerts.event import Kind, State
from config.model import Severity


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel is given to deliver to one contact.

    Attributes:
        id: the notification's id; the same on every try and every channel.
        event, alarm, state, severity: the event that it tells.
        site: the site's id.
        text: the whole text.
        contact: the contact's id.
        at: when the event happened.
        attempt: which try this is, from 1.
        phone, email: where the contact is reached, for channels that need it.
    """

    id: str
    event: Kind
    alarm: str
    state: State
    severity: Severity
    site: str
    text: str
    contact: str
    at: datetime
    attempt: int
    phone: str = ""
    email: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """That a channel took a message. Accepted is not delivered.

    Attributes:
        text: the channel's words, such as `202 Accepted`.
    """

    text: str = ""


class Channel(Protocol):
    """One way to reach people.

    `send` may be called for many messages at once and again for the same one: doubles carry the same id. It takes no
    longer than its own time-out, may be cancelled at any moment, leaves nothing half done that a later call would
    trip over, never tries twice, and raises nothing but `DeliveryError`.
    `check` delivers nothing; it says, as `send` would, what stands in the way now. `close` may be called twice.
    """

    @property
    def id(self) -> str:
        """The channel's id in the configuration."""
        ...

    @property
    def kind(self) -> str:
        """What kind of channel it is."""
        ...

    async def send(self, message: Message) -> Receipt:
        """Hand one message over, or raise `DeliveryError`."""
        ...

    async def check(self) -> None:
        """Look whether a message could be handed over, or raise `DeliveryError`."""
        ...

    async def close(self) -> None:
        """Let go of what is held."""
        ...


def payload(message: Message) -> dict[str, Any]:
    """Return the message as the webhook and the file carry it, version 1."""
    return {
        "v": 1,
        "id": message.id,
        "event": str(message.event),
        "alarm": message.alarm,
        "state": str(message.state),
        "severity": str(message.severity),
        "site": message.site,
        "text": message.text,
        "contact": message.contact,
        "at": message.at.isoformat(),
        "attempt": message.attempt,
    }


__all__ = ["Channel", "DeliveryError", "Message", "Reason", "Receipt", "payload"]
