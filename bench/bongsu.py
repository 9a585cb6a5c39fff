"""Ourselves, in the same place as the peer: what is written to `docs` appears in `far`."""

import contextlib
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from bench.tap import Tap
from tests.acceptance import sections
from tests.acceptance.office import Office
from tests.support.waiting import until


class Bongsu:
    """A running replicator and vault, each a process of its own, on the loopback address.

    `far` is `current/` of the vault, which is written after the change was acknowledged as durable;
    what is measured there is therefore more than what was promised, and the same for both peers.
    """

    name = "bongsu"

    def __init__(self, *, tapped: bool = False) -> None:
        """Start both daemons, `tapped` with a tap between them, and wait until the first file has come over."""
        with contextlib.ExitStack() as undo:
            self.office = Office()
            undo.callback(self.office.close)
            self.office.with_replicator()
            self._tap = Tap(self.office.ports["stream"]) if tapped else None
            if self._tap is not None:
                undo.callback(self._tap.close)
                ports = {**self.office.ports, "stream": self._tap.port}
                self.office.room["replicator"] = sections.REPLICATOR.format(**ports)
            self.docs: Path = self.office.docs
            self.far: Path = self.office.current
            (self.docs / "first").write_text("first")
            self.office.start("vault")
            self.office.start("replicator")
            until((self.far / "first").exists, "bongsu's first copy")
            self._undo = undo.pop_all()

    @classmethod
    def tapped(cls) -> "Bongsu":
        """Start it so that `durable` can be asked."""
        return cls(tapped=True)

    def durable(self, contents: Iterable[bytes]) -> float:
        """When the vault had said of all of these contents that they are durable, by `time.monotonic`."""
        if self._tap is None:
            raise AssertionError("there is no tap")
        return self._tap.durable([sha256(each).digest() for each in contents])

    def close(self) -> None:
        """End both and remove everything."""
        self._undo.close()
