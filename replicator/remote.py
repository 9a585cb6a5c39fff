"""Reading a vault over the network: the reader's end of the stream, blocking."""

import contextlib
import itertools
import socket
import ssl
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import Self, TypeVar

from config.address import VaultAddress
from replicator.archive import Version
from replicator.change import Entry
from replicator.errors import DamagedError, FaultError, ReplicatorError, StreamError, UnknownError
from replicator.messages import (
    PROTOCOL,
    Aged,
    Beat,
    Checked,
    Damaged,
    Data,
    End,
    Examine,
    Fault,
    Fetch,
    FromVault,
    Hello,
    Kept,
    Listed,
    Past,
    Refused,
    Sources,
    Tree,
    Welcome,
)
from replicator.stream import HANDSHAKE, SILENCE
from replicator.tls import handshake_error, refused_error
from replicator.wire import Message, encode, from_vault

#: Contents asked for before the ones before them are there: it hides the way to the vault and back.
_AHEAD = 64
_PATHS_BYTES = 32 * 1024
_Answer = TypeVar("_Answer", bound=FromVault)
_REPORTS: tuple[type[Checked | Damaged], ...] = (Checked, Damaged)


class RemoteArchive:
    """An `Archive` at the other end of a network. Connects when first asked.

    Args:
        address: the vault's.
        context: from `tls.client_context`; None is plain TCP.
        site: this end's site id.
    """

    def __init__(self, address: VaultAddress, context: ssl.SSLContext | None = None, *, site: str = "reader") -> None:
        self._address = address
        self._context = context
        self._site = site
        self._line: _Line | None = None
        self._coming: deque[bytes] = deque()
        self._next: deque[bytes] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As in `Archive`."""
        if self._line is not None:
            self._line.close()
        self._line = None
        self._coming.clear()
        self._next.clear()

    def sources(self) -> dict[str, int]:
        """As in `Archive`."""
        for kept, _ in self._ask(Sources(), (Kept,), one=True):
            return kept.positions
        raise StreamError("read sources: no answer")

    def tree(self, source: str, at_ns: int = 0, paths: Sequence[bytes] = ()) -> Generator[Entry, None, None]:
        """As in `Archive`."""
        for some in _parcels(paths):
            for listed, _ in self._ask(Tree(source=source, at_ns=at_ns, paths=some), (Listed,)):
                for path, meta, digest in listed.entries:
                    yield Entry(path=path, meta=meta, hash=digest)

    def past(self, source: str, path: bytes) -> Generator[Version, None, None]:
        """As in `Archive`."""
        for aged, _ in self._ask(Past(source=source, path=path), (Aged,)):
            for at_ns, meta, digest, position in aged.versions:
                yield Version(at_ns=at_ns, meta=meta, hash=digest, position=position)

    def ahead(self, digests: Sequence[bytes]) -> None:
        """As in `Archive`."""
        self._next = deque(digests)

    def fetch(self, digest: bytes, offset: int = 0) -> Generator[bytes, None, None]:
        """As in `Archive`."""
        planned = not offset and bool(self._next) and self._next[0] == digest
        if self._coming and not planned:
            self.close()  # answers are on their way that nobody wants
        line = self._connected()
        if not planned:
            line.send(Fetch(hash=digest, offset=offset))
        elif len(self._coming) <= _AHEAD // 2:
            asked = len(self._coming)
            self._coming.extend(itertools.islice(self._next, asked, _AHEAD))
            line.send(*(Fetch(hash=each) for each in itertools.islice(self._coming, asked, None)))
        with self._whole():
            for _, data in line.answer((Data,)):
                yield data
            self._answered()

    def examine(self, *, repair: bool = False) -> Iterator[Checked | Damaged]:
        """As in `Archive`; the vault refuses `repair` from here."""
        for item, _ in self._ask(Examine(repair=repair), _REPORTS):
            yield item

    def _answered(self) -> None:
        """The first of the contents that were asked for ahead is over."""
        if self._coming:
            self._coming.popleft()
            self._next.popleft()

    def _ask(
        self, question: Message, kinds: tuple[type[_Answer], ...], *, one: bool = False
    ) -> Iterator[tuple[_Answer, bytes]]:
        if self._coming:
            self.close()
        line = self._connected()
        with self._whole():
            line.send(question)
            if one:
                yield line.receive(kinds)
            else:
                yield from line.answer(kinds)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """An answer that is not read to its end spoils the connection: the next question makes a new one."""
        try:
            yield
        except (UnknownError, DamagedError):
            self._answered()
            raise
        except BaseException:
            self.close()
            raise

    def _connected(self) -> "_Line":
        if self._line is None:
            self._line = _Line(self._address, self._context, self._site)
        return self._line


class _Line:
    """One connection, greeted."""

    def __init__(self, address: VaultAddress, context: ssl.SSLContext | None, site: str) -> None:
        self._peer = f"{address.host}:{address.port}"
        self._frames = from_vault()
        self._silent_tls = context is not None  # until its first word
        try:
            self._sock = socket.create_connection((address.host, address.port), timeout=HANDSHAKE)
        except OSError as error:
            why = str(error.strerror or error).lower()
            raise StreamError(f"connect to vault {self._peer}: {why}", hint="is the vault running?") from None
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                self._sock = context.wrap_socket(self._sock, server_hostname=address.host)
            self._sock.settimeout(SILENCE)
            self.send(Hello(protocol=PROTOCOL, role="reader", site=site))
            self.receive((Welcome,))
        except OSError as error:
            self._sock.close()
            raise self._lost(error) from None
        except ReplicatorError:
            self._sock.close()
            raise

    def close(self) -> None:
        self._sock.close()

    def send(self, *messages: Message) -> None:
        try:
            self._sock.sendall(b"".join(map(encode, messages)))
        except OSError as error:
            raise self._lost(error) from None

    def answer(self, kinds: tuple[type[_Answer], ...]) -> Iterator[tuple[_Answer, bytes]]:
        """Messages of these kinds until `End`."""
        while True:
            message, payload = self._next()
            if isinstance(message, End):
                return
            yield _expect(message, kinds), payload

    def receive(self, kinds: tuple[type[_Answer], ...]) -> tuple[_Answer, bytes]:
        message, payload = self._next()
        return _expect(message, kinds), payload

    def _next(self) -> tuple[FromVault, bytes]:
        while True:
            got = self._frames.next()
            if got is None:
                self._frames.feed(self._read())
            elif isinstance(got[0], Fault):
                raise FaultError(got[0].code, got[0].text, hint=got[0].hint)
            elif isinstance(got[0], Refused):
                raise _REFUSALS.get(got[0].code, StreamError)(got[0].text)
            elif not isinstance(got[0], Beat):
                return got

    def _read(self) -> bytes:
        try:
            data = self._sock.recv(256 * 1024)
        except OSError as error:
            raise self._lost(error) from None
        if not data and self._silent_tls:
            raise refused_error(self._peer)
        self._silent_tls = False
        if not data:
            raise StreamError(f"hear from {self._peer}: connection closed")
        return data

    def _lost(self, error: OSError) -> StreamError:
        if isinstance(error, ssl.SSLError) and not isinstance(error, TimeoutError):
            return handshake_error(self._peer, error)
        if self._silent_tls and not isinstance(error, TimeoutError):
            return refused_error(self._peer)
        return StreamError(f"hear from {self._peer}: {str(error.strerror or error).lower()}")


_REFUSALS: dict[str, type[ReplicatorError]] = {"unknown": UnknownError, "damaged": DamagedError}


def _expect(message: FromVault, kinds: tuple[type[_Answer], ...]) -> _Answer:
    if not isinstance(message, kinds):
        raise StreamError(f"hear from vault: {type(message).__name__.lower()} is no answer to this question")
    return message


def _parcels(paths: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The paths in parcels that fit a header."""
    parcel: list[bytes] = []
    size = 0
    for path in paths:
        if parcel and size + len(path) > _PATHS_BYTES:
            yield parcel
            parcel, size = [], 0
        parcel.append(path)
        size += len(path) + 8
    yield parcel
