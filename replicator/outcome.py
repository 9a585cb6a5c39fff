"""What came of looking at a path that is to be sent."""

import os
from typing import NamedTuple

from replicator.change import Meta
from replicator.journal_rows import Known
from replicator.turns import Item


class Ready(NamedTuple):
    """To be put. `item` is None for a parent folder that the vault must have first.

    `body` is None when the vault has the bytes already, or none belong to it.
    """

    item: Item | None
    path: bytes
    known: Known
    body: bytes | None

    @property
    def meta(self) -> Meta:
        """As it is to be put."""
        return self.known.meta


class Gone(NamedTuple):
    """To be deleted."""

    item: Item


class Same(NamedTuple):
    """Nothing to send. `known`: only the marks here have changed."""

    item: Item
    known: Known | None


class Inside(NamedTuple):
    """A folder is gone: what the vault has in it must go first (and what is in that), then it."""

    item: Item
    paths: list[bytes]


class Large(NamedTuple):
    """A file that goes in chunks.

    `hash`: the bytes that the vault may have of it, from before a rename. `shared`: as of `marks.extra_of_file`.
    """

    item: Item
    found: os.stat_result
    hash: bytes
    shared: int = 0


class Busy(NamedTuple):
    """It changed while it was read: try again."""

    item: Item


class Failed(NamedTuple):
    """It cannot be read, and why."""

    item: Item
    reason: str


class Held(NamedTuple):
    """It seems to be gone, but so is the root."""

    item: Item


class Named(NamedTuple):
    """Other names of a file that was just read, which changed with it though no event told so.

    `seen_ns`: when that was; 0 for now.
    """

    paths: list[bytes]
    seen_ns: int


Outcome = Named | Ready | Gone | Same | Inside | Large | Busy | Failed | Held
