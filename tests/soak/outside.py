"""Trees from outside: what other people's programs make of a folder; each ends equal, also as a restore."""

import mailbox
import random
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path

from tests.soak.postgres import postgres
from tests.soak.site import Moment, Site

#: Small packages of a distribution: programs, links, manuals, odd modes.
_PACKAGES = ["coreutils", "git-man", "tzdata", "login", "perl-base", "bash", "util-linux"]
_LETTERS = 500
_DOCUMENTS = 6


def packages(site: Site, _chance: random.Random) -> dict[str, object]:
    """A distribution's packages unpacked, one over the other, twice, and half of it removed again."""
    cache = site.office.root / "debs"
    cache.mkdir()
    run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *_PACKAGES, cwd=cache)
    debs = sorted(cache.glob("*.deb"))
    for deb in debs:
        run("dpkg", "-x", deb, site.docs / "system")
    before = site.settle()
    for deb in debs:
        run("dpkg", "-x", deb, site.docs / "system")
    shutil.rmtree(site.docs / "system" / "usr" / "share" / "man")
    run("cp", "-a", site.docs / "system" / "bin", site.docs / "bin copied")
    _demand(site, [before, site.settle()])
    return {"packages": len(debs), "paths": len(before.whole)}


def git(site: Site, chance: random.Random) -> dict[str, object]:
    """A repository with branches, thrown-away commits and garbage collection, and a clone of it."""
    repo = site.docs / "repo"
    run("git", "init", "-q", "-b", "main", repo)
    for key, value in {"user.name": "kim", "user.email": "kim@example.com", "gc.auto": "20"}.items():
        run("git", "config", key, value, cwd=repo)
    moments = []
    for number in range(60):
        path = repo / f"module{number % 7}" / f"file{chance.randrange(30)}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"number = {number}\n" * chance.randint(1, 400))
        run("git", "add", "-A", cwd=repo)
        run("git", "commit", "-q", "--allow-empty", "-m", f"commit {number}", cwd=repo)
        if number % 10 == 5:
            run("git", "checkout", "-q", "-b", f"branch{number}", "HEAD~2", cwd=repo)
        if number % 20 == 19:
            run("git", "checkout", "-q", "main", cwd=repo)
            moments.append(site.settle())
            run("git", "branch", "-q", "-D", f"branch{number - 4}", cwd=repo)
            run("git", "reflog", "expire", "--expire=now", "--all", cwd=repo)
            run("git", "gc", "-q", "--prune=now", cwd=repo)
    run("git", "clone", "-q", repo, site.docs / "clone")
    _demand(site, [*moments, site.settle()])
    back = site.office.restore("repo-back", file="vault") / "repo"
    run("git", "fsck", "--strict", cwd=back)
    return {"commits": 60, "paths": len(site.settle().whole)}


def mail(site: Site, chance: random.Random) -> dict[str, object]:
    """A storm of deliveries into a Maildir by several at once, read and sorted meanwhile, and appended to an mbox."""
    (site.docs / "mail").mkdir()
    mailbox.Maildir(site.docs / "mail" / "kim")  # made once: the postmen would make it side by side
    with ThreadPoolExecutor(4) as postmen:
        seeds = [chance.randrange(10**6) for _ in range(3)]
        list(postmen.map(lambda seed: _deliver(site.docs / "mail", seed), seeds))
    before = site.settle()
    box = mailbox.Maildir(site.docs / "mail" / "kim")
    for number, key in enumerate(list(box.keys())):
        if number % 3 == 0:
            box.discard(key)
    _deliver(site.docs / "mail", chance.randrange(10**6))
    _demand(site, [before, site.settle()])
    return {"letters": _LETTERS * 4, "paths": len(before.whole)}


def _deliver(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    box = mailbox.Maildir(folder / "kim")
    for number in range(_LETTERS):
        letter = EmailMessage()
        letter["Subject"] = f"보고 {number}"
        letter.set_content("content\n" * chance.randint(1, 2000))
        key = box.add(letter)
        if chance.random() < 0.4:
            read = box.get_message(key)
            read.set_subdir("cur")
            read.set_flags("S")
            box[key] = read
        if chance.random() < 0.1:
            box.discard(key)
        with (folder / f"archive-{seed}").open("ab") as mbox:
            mbox.write(b"From kim\n" + letter.as_bytes() + b"\n")


def office(site: Site, chance: random.Random) -> dict[str, object]:
    """LibreOffice saves documents over and over, in three formats, beside its lock files."""
    profile = f"-env:UserInstallation={(site.office.root / 'profile').as_uri()}"
    texts = site.office.root / "texts"
    texts.mkdir()
    moments: list[Moment] = []
    for edition in range(4):
        for number in range(_DOCUMENTS):
            words = ["산청군", "보고서", "edition", str(edition)] * chance.randint(20, 4000)
            (texts / f"보고서 {number}.txt").write_text(" ".join(words))
        for kind in ("odt", "docx", "pdf"):
            command = ["soffice", profile, "--headless", "--convert-to", kind, "--outdir", site.docs]
            run(*command, *sorted(texts.iterdir()), cwd=site.office.root)
        moments.append(site.settle())
    _demand(site, moments)
    return {"documents": len(moments[-1].whole), "editions": 4, "by": _version("soffice")}


def _version(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def _demand(site: Site, moments: list[Moment]) -> None:
    """All of these come back, the last one also as what is newest, from both ends; and the vault is whole."""
    for number, moment in enumerate(moments):
        site.demand(moment, file=["room", "vault"][number % 2])
    for file in ("room", "vault"):
        site.demand(moments[-1], file=file, now=True)
        site.verify(file=file)


def database(site: Site, chance: random.Random) -> dict[str, object]:
    """PostgreSQL's data folder under pgbench: equal once it is stopped, and the restored one starts and is the same."""
    with postgres(site.docs / "data", site.office.root) as server:
        server.bench(seconds=20, seed=chance.randrange(10**6))
        moving = site.position()
        content = server.content()
    after = site.settle()
    _demand(site, [after])
    back = site.office.restore("database", file="vault")
    with postgres(back / "data", site.office.root) as server:
        assert server.content() == content, "the restored database holds something else"
    return {"paths": len(after.whole), "states while it ran": moving, "rows by hash": content[:16]}


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a foreign program to its end.

    Raises:
        AssertionError: it failed; the text says what it said.
    """
    done = subprocess.run(
        [str(each) for each in command], cwd=cwd, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"


STORIES: dict[str, Callable[[Site, random.Random], dict[str, object]]] = {
    "packages": packages,
    "git": git,
    "mail": mail,
    "office": office,
    "database": database,
}
