"""The peer: lsyncd (delay 1 s, the shortest that its manual recommends) to an rsync daemon on the loopback address."""

from bench.peers import end, undone
from bench.rsyncd import Rsyncd
from tests.support.process import Program
from tests.support.waiting import until

_LSYNCD = """
settings {{ logfile = "{root}/lsyncd.log", statusFile = "{root}/lsyncd.status", nodaemon = true, insist = true }}
sync {{ default.rsync, source = "{docs}", target = "{target}", delay = 1,
        rsync = {{ archive = true }} }}
"""


class Lsyncd:
    """A running lsyncd: what is written to `docs` appears in `far`. Nothing is flushed there."""

    name = "lsyncd"

    def __init__(self) -> None:
        """Start both daemons and wait until the first file has come over."""
        self._rsyncd = Rsyncd()
        root, self.far = self._rsyncd.root, self._rsyncd.far
        self.docs = root / "docs"
        self.docs.mkdir()
        (self.docs / "first").write_text("first")
        target = self._rsyncd.address
        (root / "lsyncd.conf").write_text(_LSYNCD.format(root=root, docs=self.docs, target=target))
        self._lsyncd = Program(["lsyncd", str(root / "lsyncd.conf")], root / "lsyncd.out")
        with undone(self.close):
            until((self.far / "first").exists, "lsyncd's first copy")

    def close(self) -> None:
        """End both and remove everything."""
        end(self._lsyncd)
        self._rsyncd.close()
