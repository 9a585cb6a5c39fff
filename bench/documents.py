"""A tree of documents whose sizes are those of an office."""

import os
import random
import stat
from pathlib import Path

#: Of the logarithm of a file's bytes: a mean of 49 kB, half of them under 27 kB, two in a hundred over 256 kB.
_MIDDLE, _SPREAD, _MOST = 10.2, 1.1, 2_000_000
_FOLDER = 400
#: What ends the name of each; what is half written has another.
_END = ".bin"
#: A fifth of the documents are as large as this; they hold most of the bytes.
_ROOM = 64 * 1024


def make_documents(tree: Path, count: int) -> int:
    """Write so many files, no two of them the same, and return their bytes."""
    chance, blob, size = random.Random(1), os.urandom(_MOST * 2), 0
    for each in range(count):
        folder = tree / f"{each // _FOLDER:04}"
        if not each % _FOLDER:
            folder.mkdir(parents=True)
        length = min(int(chance.lognormvariate(_MIDDLE, _SPREAD)), _MOST)
        at = chance.randrange(len(blob) - length)
        (folder / f"{each}{_END}").write_bytes(each.to_bytes(8, "big") + blob[at : at + length])
        size += 8 + length
    return size


def count_documents(tree: Path) -> int:
    """How many of them are there, whole."""
    return sum(name.endswith(_END) for _, _, files in os.walk(tree) for name in files)


def empty(folder: Path) -> None:
    """Give most of the room of a folder's files back, and keep the files.

    For seconds ext4 avoids inodes that were given back, and looks at each of them: whoever writes next would pay.
    """
    for at, _, files in os.walk(folder):
        for name in files:
            path = f"{at}/{name}"
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode) and found.st_size >= _ROOM:
                os.truncate(path, 0)
