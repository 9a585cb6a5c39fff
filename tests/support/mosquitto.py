"""Mosquitto and mosquitto_sub: a broker and a listener that are not ours."""

import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

from tests.support.process import Program
from tests.support.waiting import until

_BROKER = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin") or "mosquitto"


def answers(port: int) -> bool:
    """Whether something accepts connections at this port of the loopback address."""
    with socket.create_connection(("127.0.0.1", port), 5):
        return True


class Mosquitto:
    """A real broker on the loopback address; it can be killed and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        """Start it and wait until it answers."""
        self._folder = folder
        self.port = port
        folder.mkdir(exist_ok=True)
        (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.program = Program([_BROKER, "-c", str(self._folder / "mosquitto.conf")], self._folder / "mosquitto.log")
        until(lambda: answers(self.port), "Mosquitto answers")

    def kill(self) -> None:
        """End it at once."""
        self.program.kill()


class Listener:
    """mosquitto_sub on every topic below `bongsu/`."""

    def __init__(self, folder: Path, port: int) -> None:
        """Subscribe."""
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-t", "bongsu/#", "-F", "%r\t%t\t%p"]
        self._program = Program(command, folder / f"mosquitto_sub-{port}.log")

    def heard(self, topic: str) -> list[dict[str, Any]]:
        """Every payload of this topic so far, oldest first."""
        lines = (line.split("\t", 2) for line in self._program.text().splitlines() if line.count("\t") >= 2)
        return [json.loads(payload) for _, heard, payload in lines if heard == topic]

    def topics(self) -> set[str]:
        """Every topic heard so far."""
        return {line.split("\t", 2)[1] for line in self._program.text().splitlines() if line.count("\t") >= 2}

    def close(self) -> None:
        """Stop."""
        self._program.kill()
