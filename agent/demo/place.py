"""Where a demonstration lives: folders, ports and the two configuration files."""

import json
import random
import shutil
import socket
import tempfile
from pathlib import Path
from string import Template

from agent.demo.errors import DemoError

_FILES = Path(__file__).parent
#: Below the range from which the kernel takes the ports of outgoing connections.
_PORTS = (15_000, 32_000)
_NAMES = ("bus", "console", "monitor", "replicator", "vault", "stream")


class Place:
    """A folder of its own under the system's temporary folder, and free ports of the loopback address."""

    def __init__(self, folder: Path | None) -> None:
        """Make everything that must be there before the daemons start; `folder` is what is replicated."""
        self.root = Path(tempfile.mkdtemp(prefix="bongsu-demo-"))
        self.folder = (folder or self.root / "documents").absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.messages = self.root / "messages.jsonl"
        self.vault_root = self.root / "vault"
        self.restored = self.root / "restored"
        self.ports = dict(zip(_NAMES, free_ports(len(_NAMES)), strict=True))

    def write(self, name: str, language: str, **values: str) -> Path:
        """Write the configuration `room` or `vault` and return its path."""
        text = (_FILES / f"{name}.toml").read_text(encoding="utf-8")
        ports = {key: str(port) for key, port in self.ports.items()}
        folder = json.dumps(str(self.folder), ensure_ascii=False)  # a TOML string has the escapes of a JSON one
        path = self.root / f"{name}.toml"
        try:
            path.write_text(Template(text).substitute(ports, folder=folder, language=language, **values), "utf-8")
        except UnicodeEncodeError:
            raise DemoError(f"use folder {self.folder!a}: its name is not UTF-8", "choose another folder") from None
        return path

    def remove(self) -> None:
        """Remove everything but a folder that the user named."""
        shutil.rmtree(self.root, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Return different TCP ports of the loopback address that nobody listens on now."""
    found: set[int] = set()
    chance = random.SystemRandom()
    while len(found) < count:
        port = chance.randrange(*_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.add(port)
    return list(found)
