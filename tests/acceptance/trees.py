"""Trees as people make them: clones, archives, copies, editors, folders that are moved."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

#: What a tree holds that a careless copy loses: CP949 and odd names, links, modes, times, empty folders.
CP949 = "산청군 보고서.hwp".encode("cp949")
LONGEST = ("긴" * 85).encode()


def fill(folder: Path) -> None:
    """Make a tree of names, modes, times and links that a careless copy would lose."""
    folder.mkdir()
    base = os.fsencode(folder)
    for name in (CP949, b"two\nlines.txt", LONGEST, b" leading and trailing ", b"-rf", "NFD 한글".encode()):
        Path(os.fsdecode(base + b"/" + name)).write_bytes(b"content of " + name)
    (folder / "empty").mkdir()
    (folder / "closed").mkdir()
    (folder / "closed" / "plan.txt").write_text("plan")
    (folder / "closed").chmod(0o700)
    (folder / "empty file").touch()
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o4751)
    (folder / "link").symlink_to("run.sh")
    (folder / "broken link").symlink_to("no such file")
    (folder / "way out").symlink_to("/etc")
    (folder / "big.bin").write_bytes(os.urandom(3_000_000))
    (folder / "old.txt").write_text("old")
    os.utime(folder / "old.txt", ns=(1, 946_684_800_123_456_789))
    os.utime(folder / "empty", ns=(1, 946_684_800_987_654_321))


def clone(office_root: Path, folder: Path) -> None:
    """Make a repository elsewhere and `git clone` it to `folder`."""
    origin = office_root / "origin"
    origin.mkdir()
    for number in range(60):
        path = origin / f"module{number % 7}" / f"file{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"number = {number}\n" * 20)
    identity = ("-c", "user.name=kim", "-c", "user.email=kim@example.com")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-q", "-m", "first")):
        subprocess.run(["git", *command], cwd=origin, check=True)
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(origin), str(folder)], check=True)


def unpack(office_root: Path, folder: Path) -> None:
    """Pack the clone's origin and unpack it with `tar x`, which sets times and modes last."""
    archive = office_root / "origin.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(office_root / "origin", ".")
    folder.mkdir()
    subprocess.run(["tar", "xf", str(archive), "-C", str(folder)], check=True)


def copy(folder: Path, to: Path) -> None:
    """`cp -a`."""
    subprocess.run(["cp", "-a", str(folder), str(to)], check=True)


def save_as_editors_do(path: Path, text: str) -> None:
    """Write a new file beside the old one and rename it over it; the old one stays as a backup."""
    backup = path.with_name(path.name + "~")
    backup.unlink(missing_ok=True)
    if path.exists():
        os.link(path, backup)
    fresh = path.with_name(f".{path.name}.swp")
    fresh.write_text(text)
    fresh.rename(path)


def reorganise(docs: Path) -> None:
    """Move folders, delete others, replace a file by a folder and a folder by a file."""
    (docs / "clone" / "module1").rename(docs / "clone" / "module1 moved")
    (docs / "unpacked" / "module2").rename(docs / "module2 elsewhere")
    (docs / "module2 elsewhere" / "file2.py").write_text("changed after the move\n")
    shutil.rmtree(docs / "unpacked" / "module3")
    (docs / "odd" / "old.txt").unlink()
    (docs / "odd" / "old.txt").mkdir()
    (docs / "odd" / "old.txt" / "inside.txt").write_text("a folder now")
    shutil.rmtree(docs / "odd copy" / "closed")
    (docs / "odd copy" / "closed").write_text("a file now")
    (docs / "odd" / "link").unlink()
    (docs / "odd" / "link").symlink_to("empty")
    (docs / "odd" / "run.sh").chmod(0o600)
    save_as_editors_do(docs / "report.txt", "third edition\n")
