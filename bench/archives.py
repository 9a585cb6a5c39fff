"""The peers that keep versions: borg and restic, each to a repository of its own on the same disk."""

import os
import subprocess
from pathlib import Path


class Borg:
    """borg 1.x with its own defaults, not encrypted; it flushes each segment that it writes."""

    def __init__(self, root: Path) -> None:
        """Make an empty repository in the folder `root`, which is made."""
        root.mkdir()
        self._repository = root / "repository"
        self._environment = {
            **os.environ,
            "BORG_BASE_DIR": str(root),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }
        self._call("init", "--encryption=none", str(self._repository))

    def keep(self, tree: Path) -> None:
        """Keep the tree as one version."""
        self._call("create", f"{self._repository}::first", tree.name, cwd=tree.parent)

    def _call(self, *arguments: str, cwd: Path | None = None) -> None:
        _run(["borg", *arguments], self._environment, cwd)


class Restic:
    """restic with its own defaults, always encrypted; it flushes each pack that it writes."""

    def __init__(self, root: Path) -> None:
        """Make an empty repository in the folder `root`, which is made."""
        root.mkdir()
        self._environment = {
            **os.environ,
            "RESTIC_REPOSITORY": str(root / "repository"),
            "RESTIC_CACHE_DIR": str(root / "cache"),
            "RESTIC_PASSWORD": "benchmark",
        }
        self._call("init")

    def keep(self, tree: Path) -> None:
        """Keep the tree as one version."""
        self._call("backup", tree.name, cwd=tree.parent)

    def _call(self, *arguments: str, cwd: Path | None = None) -> None:
        _run(["restic", "--quiet", *arguments], self._environment, cwd)


def _run(command: list[str], environment: dict[str, str], cwd: Path | None) -> None:
    subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=True)
