"""What every message is."""

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=lambda name: name.lower()):
    """Base of every message; the tag is the class's name in lower case."""
