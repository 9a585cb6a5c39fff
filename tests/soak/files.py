"""Acts on single files that wait for nobody, whatever took the name meanwhile."""

import mmap
import os
import random
import shutil
import stat
import subprocess
import time
from typing import IO


def remove_tree(path: bytes) -> None:
    """A folder with all in it. `shutil.rmtree` waits for ever at a pipe that took a folder's name meanwhile."""
    subprocess.run(["rm", "-rf", "--", path], stderr=subprocess.DEVNULL, check=False)


def opened(path: bytes, flags: int) -> IO[bytes]:
    """A file; a pipe that took its name meanwhile is not waited at, a link not followed."""
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    return os.fdopen(fd, "wb") if flags & os.O_WRONLY else os.fdopen(fd, "rb")


def copy_file(source: str, to: str) -> None:
    """A file or link with its times and rights."""
    if stat.S_ISLNK(os.lstat(source).st_mode):
        os.symlink(os.readlink(source), to)  # noqa: PTH115, PTH211
        return
    there = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with opened(os.fsencode(source), os.O_RDONLY) as file, opened(os.fsencode(to), there) as copy:
        shutil.copyfileobj(file, copy)
    shutil.copystat(source, to, follow_symlinks=False)


def write_mapped(path: bytes, stay: float, chance: random.Random) -> None:
    """Two bytes through a mapping, which is held so many seconds after each."""
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    with mmap.mmap(fd, 0) as mapped:
        os.close(fd)
        for _ in range(2):
            at = chance.randrange(len(mapped))
            mapped[at : at + 1] = chance.randbytes(1)
            time.sleep(stay)
