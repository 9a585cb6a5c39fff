"""One daemon of a part in one state directory."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from agent.errors import AlreadyRunningError, FatalError

_STATE_HINT = "make the directory and give it to the user that runs bongsu: see [site] state in the configuration"


def prepare_state(state: Path) -> None:
    """Make the state directory where it is missing and see that it can be written.

    Raises:
        FatalError: it is no directory, or it cannot be made or written.
    """
    try:
        state.mkdir(mode=0o750, parents=True, exist_ok=True)
        probe = state / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        if error.errno == errno.ENOSPC and state.is_dir():
            return  # each part says for itself what it cannot do without room
        raise FatalError(f"write state directory {state}: {error.strerror}", _STATE_HINT) from error


class StateLock:
    """Holds `STATE/PART.lock` until `release` or the end of the process, however it ends."""

    def __init__(self, state: Path, part: str) -> None:
        self._path = state / f"{part}.lock"
        self._part = part
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock at once.

        Raises:
            AlreadyRunningError: another process has it.
            FatalError: the lock file cannot be opened.
        """
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise FatalError(f"open lock {self._path}: {error.strerror}", _STATE_HINT) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            raise AlreadyRunningError(
                f"start {self._part}: another {self._part} is running in {self._path.parent} (process {holder})",
                "stop it first, or give this one a [site] state of its own",
            ) from error
        self._file = file
        with contextlib.suppress(OSError):  # only for people; a full disk must not keep us from starting
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Give the lock back; may be called twice. The file stays: removing it would race with the next holder."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
