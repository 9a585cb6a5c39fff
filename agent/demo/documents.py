"""An office at work: documents that are written, saved again, moved and deleted while the demonstration runs."""

import asyncio
import os
import random
from pathlib import Path

_TITLES = ("재난상황보고", "예산편성안", "민원처리대장", "회의록", "인사발령(안)", "시설점검표", "출장복명서")
_PAUSE = 0.25
_PAGES, _PAGE_BYTES = 40, 200_000


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
        what = self._chance.random()
        if what < 0.6 or not there:
            self._save(self.folder / f"{self._chance.choice(_TITLES)} {self.saved + 1}.hwp")
        elif what < 0.85:
            self._save(self._chance.choice(there))
        elif what < 0.95:
            archive = self.folder / "보존문서"
            archive.mkdir(exist_ok=True)
            path = self._chance.choice(there)
            path.rename(archive / path.name)
        else:
            self._chance.choice(there).unlink()

    def scan_pages(self) -> int:
        """Save a whole file of scanned pages at once, more than a narrow line carries in a moment; return the bytes."""
        folder = self.folder / f"스캔 {self.saved + 1}"
        folder.mkdir(exist_ok=True)
        for number in range(_PAGES):
            (folder / f"{number + 1:03}쪽.tif").write_bytes(os.urandom(_PAGE_BYTES))
            self.saved += 1
        return _PAGES * _PAGE_BYTES

    def _save(self, path: Path) -> None:
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(os.urandom(self._chance.randrange(2_000, 40_000)))
        fresh.rename(path)
        self.saved += 1
