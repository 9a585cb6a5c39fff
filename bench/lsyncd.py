"""The peer: lsyncd (delay 1 s, the shortest that its manual recommends) to an rsync daemon on the loopback address."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.mosquitto import answers
from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.waiting import until

RSYNCD = """
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

_LSYNCD = """
settings {{ logfile = "{root}/lsyncd.log", statusFile = "{root}/lsyncd.status", nodaemon = true, insist = true }}
sync {{ default.rsync, source = "{docs}", target = "rsync://127.0.0.1:{port}/far", delay = 1,
        rsync = {{ archive = true }} }}
"""


class Lsyncd:
    """A running lsyncd: what is written to `docs` appears in `far`."""

    name = "lsyncd"

    def __init__(self) -> None:
        """Start both daemons and wait until the first file has come over."""
        self.root = Path(tempfile.mkdtemp(prefix="lsyncd-", dir="/tmp"))
        self.docs = self.root / "docs"
        self.far = self.root / "far"
        self.docs.mkdir()
        self.far.mkdir()
        port = free_port()
        (self.root / "rsyncd.conf").write_text(RSYNCD.format(root=self.root, far=self.far, port=port))
        (self.root / "lsyncd.conf").write_text(_LSYNCD.format(root=self.root, docs=self.docs, port=port))
        rsync = ["rsync", "--daemon", "--no-detach", f"--config={self.root}/rsyncd.conf"]
        self._rsync = Program(rsync, self.root / "rsync.out")
        until(lambda: answers(port), "the rsync daemon answers")
        (self.docs / "first").write_text("first")
        self._lsyncd = Program(["lsyncd", str(self.root / "lsyncd.conf")], self.root / "lsyncd.out")
        until((self.far / "first").exists, "lsyncd's first copy")

    def close(self) -> None:
        """End both and remove everything."""
        self._lsyncd.terminate()
        self._rsync.terminate()
        shutil.rmtree(self.root, ignore_errors=True)


def version() -> str:
    """Which lsyncd and rsync these are."""
    texts = (subprocess.run([name, "--version"], capture_output=True, text=True, check=False) for name in _NAMES)
    return ", ".join((done.stdout or done.stderr).splitlines()[0].strip() for done in texts)


_NAMES = ("lsyncd", "rsync")
