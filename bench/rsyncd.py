"""An rsync daemon on the loopback address, which keeps what it is sent in a folder of its own."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.mosquitto import answers
from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.waiting import until

_CONF = """
port = {port}
address = 127.0.0.1
use chroot = no
uid = root
gid = root
pid file = {root}/rsyncd.pid
[far]
  path = {root}/far
  read only = no
"""


class Rsyncd:
    """A running daemon; `push` copies a tree to it as `rsync -a` does."""

    def __init__(self) -> None:
        """Start it and wait until it answers."""
        self.root = Path(tempfile.mkdtemp(prefix="rsyncd-", dir="/tmp"))
        (self.root / "far").mkdir()
        self._port = free_port()
        (self.root / "rsyncd.conf").write_text(_CONF.format(root=self.root, port=self._port))
        command = ["rsync", "--daemon", "--no-detach", f"--config={self.root}/rsyncd.conf"]
        self._daemon = Program(command, self.root / "rsync.out")
        until(lambda: answers(self._port), "the rsync daemon answers")

    def push(self, tree: Path, name: str) -> None:
        """Make the daemon's folder `name` what the tree is."""
        subprocess.run(["rsync", "-a", f"{tree}/", f"rsync://127.0.0.1:{self._port}/far/{name}/"], check=True)

    def close(self) -> None:
        """End it and remove everything."""
        self._daemon.terminate()
        shutil.rmtree(self.root, ignore_errors=True)
