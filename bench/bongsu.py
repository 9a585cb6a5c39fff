"""Ourselves, in the same place as the peer: what is written to `docs` appears in `far`."""

from pathlib import Path

from tests.acceptance.office import Office
from tests.support.waiting import until


class Bongsu:
    """A running replicator and vault, each a process of its own, on the loopback address.

    `far` is `current/` of the vault, which is written after the change was acknowledged as durable;
    what is measured there is therefore more than what was promised, and the same for both peers.
    """

    name = "bongsu"

    def __init__(self) -> None:
        """Start both daemons and wait until the first file has come over."""
        self.office = Office()
        self.office.with_replicator()
        self.docs: Path = self.office.docs
        self.far: Path = self.office.current
        (self.docs / "first").write_text("first")
        self.office.start("vault")
        self.office.start("replicator")
        until((self.far / "first").exists, "bongsu's first copy")

    def acknowledged(self) -> list[tuple[float, float]]:
        """Return the replicator's own histogram, change seen to durable: (upper bound in seconds, changes up to it)."""
        name = "bongsu_replication_durable_seconds_bucket"
        total: dict[float, float] = {}
        for (sample, labels), value in self.office.metrics("replicator").items():
            if sample == name:
                bound = float(dict(labels)["le"])
                total[bound] = total.get(bound, 0.0) + value
        return sorted(total.items())

    def durable(self) -> int:
        """Changes that the vault has acknowledged as durable since the replicator began."""
        samples = self.office.metrics("replicator").items()
        return int(sum(value for (name, _), value in samples if name == "bongsu_replication_durable_seconds_count"))

    def close(self) -> None:
        """End both and remove everything."""
        self.office.close()
