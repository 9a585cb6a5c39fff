"""A real Prometheus that scrapes with the settings that are shipped."""

import json
import shutil
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.waiting import until

SETTINGS = Path(__file__).parents[2] / "config" / "prometheus"


class Prometheus:
    """One server on the loopback address.

    Args:
        folder: where it keeps what it has.
        targets: what stands in the shipped settings, and what is to be scraped in its place.
    """

    def __init__(self, folder: Path, targets: Mapping[str, str]) -> None:
        """Start it and wait until it answers."""
        folder.mkdir()
        shutil.copy(SETTINGS / "rules.yml", folder)
        text = (SETTINGS / "prometheus.yml").read_text(encoding="utf-8")
        for shipped, real in targets.items():
            assert text.count(f'"{shipped}"') == 1
            text = text.replace(f'"{shipped}"', f'"{real}"')
        (folder / "prometheus.yml").write_text(text.replace("_interval: 5s", "_interval: 1s"), encoding="utf-8")
        self._url = f"http://127.0.0.1:{free_port()}"
        command = [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self._url.removeprefix('http://')}",
        ]
        self._program = Program(command, folder / "prometheus.log")
        until(lambda: self.ask("status/runtimeinfo"), "Prometheus answers")

    def ask(self, path: str, **parameters: str) -> Any:
        """Ask its HTTP interface.

        Raises:
            OSError: it does not answer, or answers that something is wrong.
        """
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}?{query}", timeout=30) as answer:
            return json.load(answer)["data"]

    def series(self, expression: str) -> list[dict[str, Any]]:
        """Evaluate an expression now.

        Raises:
            OSError: it cannot be evaluated.
        """
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule as it stands: `health`, `lastError` and more."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def close(self) -> None:
        """End it."""
        self._program.kill()
