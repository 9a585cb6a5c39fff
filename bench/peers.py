"""Peers are measured in turn; one that fails is told by name, and the rest goes on."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar

from tests.support.process import Program


class Peer(Protocol):
    """Something that is measured: made once, asked in each round, closed once, also after it failed."""

    name: str

    def close(self) -> None:
        """End its processes and remove its files."""


class Carrier(Peer, Protocol):
    """Whatever carries: what is written to `docs` appears in `far`, soon and by itself."""

    docs: Path
    far: Path


P = TypeVar("P", bound=Peer)
More = ParamSpec("More")


@contextlib.contextmanager
def undone(close: Callable[[], object]) -> Iterator[None]:
    """Call `close` if what is made within is not made to its end."""
    with contextlib.ExitStack() as undo:
        undo.callback(close)
        yield
        undo.pop_all()


def end(program: Program) -> None:
    """Ask a peer's program to stop; nothing of it is needed any more, so it is not waited for long."""
    try:
        program.terminate(limit=10)
    except subprocess.TimeoutExpired:
        program.kill()


class Peers(Generic[P]):
    """The peers of one benchmark; leaving the context closes them."""

    def __init__(self, makers: Mapping[str, Callable[[], P]]) -> None:
        """Each maker returns a peer of this name that is ready to be measured."""
        self._makers = makers
        self._made: dict[str, P] = {}
        #: Who failed, and why.
        self.failed: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            for name, make in self._makers.items():
                self._try(name, self._make, name, make)
        except BaseException:
            self._close()
            raise
        return self

    def each(self, measure: Callable[Concatenate[P, More], None], *values: More.args, **named: More.kwargs) -> None:
        """Measure each that has not failed yet."""
        for name, peer in list(self._made.items()):
            if not self._try(name, measure, peer, *values, **named):
                self._end(self._made.pop(name))

    def __exit__(self, *_: object) -> None:
        self._close()

    def _make(self, name: str, make: Callable[[], P]) -> None:
        self._made[name] = make()

    def _close(self) -> None:
        while self._made:
            self._end(self._made.popitem()[1])

    def _try(self, name: str, work: Callable[More, object], *values: More.args, **named: More.kwargs) -> bool:
        try:
            work(*values, **named)
        except Exception as error:  # noqa: BLE001 - whatever ails one peer, the others are measured
            self._note(name, error)
            return False
        return True

    def _end(self, peer: P) -> None:
        self._try(peer.name, peer.close)

    def _note(self, name: str, error: Exception) -> None:
        said = error.stderr if isinstance(error, subprocess.CalledProcessError) else None
        reason = f"{type(error).__name__}: {error}" + (f"\n{said}" if said else "")
        self.failed.setdefault(name, reason)
        print(f"{name} failed and is left out: {reason}", file=sys.stderr, flush=True)
