"""Reading a vault, from its own disk or over the network: one seam for history, restore and verify."""

from collections.abc import Generator, Iterator, Sequence
from typing import Protocol, Self

import msgspec

from config.address import parse_vault
from config.model import Config
from replicator.change import Entry, Meta
from replicator.errors import VaultError
from replicator.messages import Checked, Damaged


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One state that a path had.

    Attributes:
        at_ns: when it came, by the vault's clock.
        meta: the state; None: the path was deleted.
        hash: of a file's bytes.
        position: of its record in the source.
    """

    at_ns: int
    meta: Meta | None
    hash: bytes
    position: int


class Archive(Protocol):
    """A vault to read from. For one thread; one answer at a time: finish or close an iterator before the next question.

    Nothing here changes what is kept. Every method may raise `UnknownError` (no such source, path, content),
    `DamagedError` (the vault's bytes are wrong), and over the network `StreamError`; after that one the next
    question makes a new connection.
    """

    def sources(self) -> dict[str, int]:
        """Each source's position."""
        ...

    def tree(self, source: str, at_ns: int = 0, paths: Sequence[bytes] = ()) -> Generator[Entry, None, None]:
        """A source as it was at a time (0: newest), folders before what is in them.

        `paths` limits it to these and what lies under them; one that is not there gives nothing.
        """
        ...

    def past(self, source: str, path: bytes) -> Generator[Version, None, None]:
        """Every version of a path, newest first; nothing for a path that never was."""
        ...

    def fetch(self, digest: bytes, offset: int = 0) -> Generator[bytes, None, None]:
        """A content's bytes in pieces, not checked."""
        ...

    def ahead(self, digests: Sequence[bytes]) -> None:
        """Say which contents will be fetched next, in this order; it only saves time."""
        ...

    def examine(self, *, repair: bool = False) -> Iterator[Checked | Damaged]:
        """Check every record and object against its hash; `repair` only on the vault's own host, vault stopped."""
        ...

    def close(self) -> None:
        """Let go; may be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_archive(config: Config) -> Archive:
    """The vault that a configuration names: `[vault]` on its own host, else the one of `[replicator]`.

    Raises:
        ReplicatorError: it cannot be opened, or the configuration names none.
    """
    from replicator.local import LocalArchive
    from replicator.remote import RemoteArchive
    from replicator.tls import client_context

    if config.vault is not None:
        return LocalArchive(config.vault.root)
    if config.replicator is None:
        raise VaultError("open vault: none is configured", hint="add [vault] with root, or [replicator] with vault")
    settings = config.replicator
    address = parse_vault(settings.vault)
    context = client_context(address.host, settings.ca, settings.cert, settings.key)
    return RemoteArchive(address, context, site=config.site.id)
