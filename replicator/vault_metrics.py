"""What a vault counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from replicator.item import REASONS

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class VaultMetrics:
    """The vault's metrics in a registry of the caller's; counters begin at zero.

    Args:
        registry: where they are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.position = Gauge("bongsu_vault_position", "Durable records of a source", ["source"], registry=registry)
        self.commit_seconds = Histogram(
            "bongsu_vault_commit_seconds", "Write and flush of one group", buckets=_SECONDS, registry=registry
        )
        self.received_bytes = Counter(
            "bongsu_vault_received_bytes_total", "Bytes of contents that came", registry=registry
        )
        self.refused = Counter("bongsu_vault_refused_total", "Items that were not taken", ["reason"], registry=registry)
        self.dropped = Counter(
            "bongsu_vault_dropped_total", "Connections ended for what came over them", ["reason"], registry=registry
        )
        self.connections = Gauge("bongsu_vault_connections", "Connections", ["role"], registry=registry)
        self.free_bytes = Gauge("bongsu_vault_free_bytes", "Room on the vault's disk", registry=registry)
        self.full = Gauge("bongsu_vault_full", "Whether the last contents that came found no room", registry=registry)
        self.damaged = Gauge("bongsu_vault_damaged", "Bad places of the journal found at the start", registry=registry)
        self.behind = Gauge("bongsu_vault_current_behind", "Records that current/ does not show yet", registry=registry)
        for reason in REASONS:
            self.refused.labels(reason)
        for reason in ("tls", "wire", "silent", "protocol", "greeting"):
            self.dropped.labels(reason)
        for role in ("sender", "reader"):
            self.connections.labels(role)

    def show(self, positions: dict[str, int]) -> None:
        """Show sources' positions."""
        for source, position in positions.items():
            self.position.labels(source).set(position)
