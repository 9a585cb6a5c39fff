"""Ports that nobody else of this machine's tests is given."""

import fcntl
import os
import random
import socket
from pathlib import Path
from typing import IO

# Below the range from which the kernel takes the ports of outgoing connections.
_FIRST, _LAST = 15_000, 32_000
_held: list[IO[bytes]] = []


def free_port() -> int:
    """Return a free TCP port of the loopback address, reserved until this process ends.

    The reservation is a lock that all tests share; a program that was told the port may bind it at its leisure.
    """
    folder = Path("/tmp/bongsu-ports")  # one place for all users and all runs of a machine
    folder.mkdir(mode=0o777, exist_ok=True)
    while True:
        port = random.SystemRandom().randrange(_FIRST, _LAST)
        lock = os.fdopen(os.open(folder / str(port), os.O_CREAT | os.O_RDWR, 0o666), "wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
        else:
            _held.append(lock)
            return port
