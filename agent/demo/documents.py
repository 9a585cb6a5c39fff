"""An office at work: documents that are written, saved again, moved and deleted while the demonstration runs."""

import asyncio
import os
import random
from pathlib import Path

_TITLES = ("재난상황보고", "예산편성안", "민원처리대장", "회의록", "인사발령(안)", "시설점검표", "출장복명서")
_PAUSE = 0.15
#: How often people write a new document, save one again, put one away, throw one away.
_WEIGHTS = (60, 25, 10, 5)
_PAGES, _PAGE_BYTES = 100, 200_000


class Documents:
    """Writes into a folder of its own below the replicated one; the folder is made at once.

    Attributes:
        saved: how often a document was saved.
    """

    def __init__(self, folder: Path, seed: int | None = None) -> None:
        """`seed` makes the same office again."""
        self.folder = folder / "봉수 시연"
        self.folder.mkdir(exist_ok=True)
        self.saved = 0
        self._chance = random.Random(seed)  # noqa: S311 - an office, no secret

    async def run(self) -> None:
        """Work until cancelled; a document is always whole, for it is saved by rename."""
        while True:
            await asyncio.to_thread(self.step)
            await asyncio.sleep(_PAUSE)

    def step(self) -> None:
        """Do one thing that people do with documents."""
        there = sorted(path for path in self.folder.glob("*.hwp"))
        if not there:
            self._write()
            return
        doing = self._chance.choices((self._write, self._edit, self._archive, self._discard), weights=_WEIGHTS)[0]
        doing(self._chance.choice(there))

    def scan_pages(self) -> int:
        """Save a whole file of scanned pages at once, more than a narrow line carries in a moment; return the bytes."""
        folder = self.folder / f"스캔 {self.saved + 1}"
        folder.mkdir(exist_ok=True)
        for number in range(_PAGES):
            (folder / f"{number + 1:03}쪽.tif").write_bytes(os.urandom(_PAGE_BYTES))
            self.saved += 1
        return _PAGES * _PAGE_BYTES

    def _write(self, _beside: Path | None = None) -> None:
        self._save(self.folder / f"{self._chance.choice(_TITLES)} {self.saved + 1}.hwp")

    def _edit(self, path: Path) -> None:
        self._save(path)

    def _archive(self, path: Path) -> None:
        archive = self.folder / "보존문서"
        archive.mkdir(exist_ok=True)
        path.rename(archive / path.name)

    def _discard(self, path: Path) -> None:
        path.unlink()

    def _save(self, path: Path) -> None:
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(os.urandom(self._chance.randrange(2_000, 40_000)))
        fresh.rename(path)
        self.saved += 1
