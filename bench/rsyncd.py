"""An rsync daemon on the loopback address, which keeps what it is sent in a folder of its own."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.peers import end, undone
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
log file = {root}/rsyncd.log
pid file = {root}/rsyncd.pid
[far]
  path = {far}
  read only = no
"""


class Rsyncd:
    """A running daemon; `push` copies a tree to it as `rsync -a` does."""

    def __init__(self) -> None:
        """Start it and wait until it answers."""
        self.root = Path(tempfile.mkdtemp(prefix="rsyncd-", dir="/tmp"))
        self.far = self.root / "far"
        self.far.mkdir()
        port = free_port()
        #: Where `far` is for a client.
        self.address = f"rsync://127.0.0.1:{port}/far"
        (self.root / "rsyncd.conf").write_text(_CONF.format(root=self.root, far=self.far, port=port))
        command = ["rsync", "--daemon", "--no-detach", f"--config={self.root}/rsyncd.conf"]
        self._daemon = Program(command, self.root / "rsync.out")
        with undone(self.close):
            until(lambda: answers(port), "the rsync daemon answers")

    def push(self, tree: Path, name: str, *options: str) -> str:
        """Make the daemon's folder `name` what the tree is; return what `rsync -a` said."""
        command = ["rsync", "-a", *options, f"{tree}/", f"{self.address}/{name}/"]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

    def close(self) -> None:
        """End it and remove everything."""
        end(self._daemon)
        shutil.rmtree(self.root, ignore_errors=True)
