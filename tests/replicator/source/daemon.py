"""A replicator in a process of its own, to be killed: `python -m tests.replicator.source.daemon STATE PORT TREE`."""

import asyncio
import sys
from pathlib import Path

from tests.replicator.source.pair import Running, settings


async def main(state: Path, port: int, tree: Path) -> None:
    """Replicate until killed."""
    running = Running(settings(state, port, tree))
    await running.replicator.start()
    await running.replicator.failed()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
