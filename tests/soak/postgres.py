"""A real PostgreSQL in a folder, as a user of its own: it refuses to be root."""

import contextlib
import hashlib
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.ports import free_port

_USER = "postgres"


class Server:
    """A running server. Every method runs one of its own programs."""

    def __init__(self, data: Path, sockets: Path) -> None:
        self._data = data
        self._sockets = sockets
        self._port = str(free_port())

    def start(self) -> None:
        """Start it; make the folder's content first where there is none."""
        if not (self._data / "PG_VERSION").exists():
            self.run("initdb", "-D", str(self._data), "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        options = f"-k {self._sockets} -p {self._port} -c listen_addresses= -c checkpoint_timeout=30s"
        self.run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._sockets / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop it as an administrator does."""
        self.run("pg_ctl", "-D", str(self._data), "-w", "-m", "fast", "stop")

    def bench(self, *, seconds: int, seed: int) -> None:
        """pgbench, with tables made, written by four clients, vacuumed and dropped."""
        self.run("pgbench", *self._at(), "-q", "-i", "-s", "4", "postgres")
        for _ in range(2):
            command = ["pgbench", *self._at(), "-c", "4", "-T", str(seconds // 2), f"--random-seed={seed}", "postgres"]
            self.run(*command)
            self._ask("CREATE TABLE gone AS SELECT * FROM pgbench_accounts; DROP TABLE gone; CHECKPOINT; VACUUM FULL")

    def content(self) -> str:
        """A hash over all rows."""
        digest = hashlib.sha256()
        for table in ("accounts", "branches", "tellers", "history"):
            digest.update(self._ask(f"COPY (SELECT * FROM pgbench_{table} t ORDER BY t) TO STDOUT").encode())
        return digest.hexdigest()

    def _ask(self, question: str) -> str:
        words = [word for part in question.split("; ") for word in ("-c", part)]
        return self.run("psql", *self._at(), "-q", "-v", "ON_ERROR_STOP=1", *words, "postgres")

    def _at(self) -> list[str]:
        return ["-h", str(self._sockets), "-p", self._port, "-U", _USER]

    def run(self, program: str, *arguments: str) -> str:
        """Run one of its programs as its user.

        Raises:
            AssertionError: it failed.
        """
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        assert folders, "the tests need the Debian package postgresql"
        command = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", str(folders[-1] / program)]
        with tempfile.TemporaryFile() as out:  # a pipe would stay open as long as the server runs
            done = subprocess.run(
                [*command, *arguments], stdout=out, stderr=subprocess.STDOUT, cwd=self._sockets, check=False
            )
            out.seek(0)
            text = out.read().decode(errors="replace")
        assert done.returncode == 0, f"{program} {arguments}: {text[-2000:]}"
        return text


@contextlib.contextmanager
def postgres(data: Path, near: Path) -> Iterator[Server]:
    """A server over this folder, which is made when it is not there; stopped at the end."""
    user = pwd.getpwnam(_USER)
    sockets = Path(tempfile.mkdtemp(prefix="pg-", dir=near))
    os.chown(sockets, user.pw_uid, user.pw_gid)
    if not data.exists():
        data.mkdir(mode=0o700)
        os.chown(data, user.pw_uid, user.pw_gid)
    server = Server(data, sockets)
    server.start()
    try:
        yield server
    finally:
        server.stop()
