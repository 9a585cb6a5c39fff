"""The source side over TLS, and what it says when the certificates do not fit."""

import asyncio
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from config.model import Config, Vault
from replicator.vault import VaultServer
from tests.replicator.source.pair import equal, replicating, settings, until
from tests.support.certificates import make_ca, make_certificate


def _config(config: Config, folder: Path, name: str) -> Config:
    assert config.replicator is not None
    files = {"ca": folder / "ca.pem", "cert": folder / f"{name}.pem", "key": folder / f"{name}.key"}
    return config.model_copy(update={"replicator": config.replicator.model_copy(update=files)})


def test_a_tree_is_carried_over_tls_and_a_stranger_is_refused(tmp_path: Path) -> None:
    """With certificates of one CA the tree arrives; with one of another CA it is refused, told, and all stays here."""
    for name, ca in (("vault", "ca"), ("room", "ca"), ("stranger", "other")):
        if not (tmp_path / f"{ca}.pem").exists():
            make_ca(tmp_path, ca)
        make_certificate(tmp_path, name, ca)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("x" * 100_000)
    (tree / "large").write_bytes(b"y" * 1_000_000)

    async def scenario() -> None:
        section = Vault(
            listen="127.0.0.1:0",
            root=tmp_path / "vault-root",
            ca=tmp_path / "ca.pem",
            cert=tmp_path / "vault.pem",
            key=tmp_path / "vault.key",
        )
        server = VaultServer(section, registry=CollectorRegistry())
        await server.start()
        try:
            config = settings(tmp_path / "state", server.port, tree)
            async with replicating(_config(config, tmp_path, "stranger"), drain=timedelta(0)) as running:
                await until(lambda: "secure connection" in running.replicator.status()["vault"]["reason"])
                assert not running.replicator.status()["vault"]["connected"]
                await until(lambda: running.source["pending"] == 2)
            async with replicating(_config(config, tmp_path, "room")) as running:
                await running.settle()
            await equal(tree, tmp_path / "vault-root")
        finally:
            await server.stop()

    asyncio.run(scenario())
