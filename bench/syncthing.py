"""The peer: Syncthing, two devices on the loopback address, each a process of its own, with `fsWatcherDelayS` 1."""

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.peers import undone
from tests.support.mosquitto import answers
from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.waiting import until

# Nothing of the outside is asked, nothing is told to it; its own niceness is off, for ours and lsyncd have none.
_CONFIG = """
<configuration version="36">
  <folder id="docs" path="{folder}" type="{kind}" rescanIntervalS="86400" fsWatcherEnabled="true" fsWatcherDelayS="1">
    <filesystemType>basic</filesystemType>
    {members}
    <minDiskFree unit="%">0</minDiskFree>
  </folder>
  {devices}
  <gui enabled="true" tls="false"><address>127.0.0.1:{gui}</address></gui>
  <options>
    <listenAddress>tcp://127.0.0.1:{port}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <stunKeepaliveStartS>0</stunKeepaliveStartS>
    <urAccepted>-1</urAccepted>
    <crashReportingEnabled>false</crashReportingEnabled>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <startBrowser>false</startBrowser>
    <reconnectionIntervalS>1</reconnectionIntervalS>
    <setLowPriority>false</setLowPriority>
    <minHomeDiskFree unit="%">0</minHomeDiskFree>
  </options>
</configuration>
"""
#: Seconds between two first files: one may be written before the folder is watched.
_AGAIN = 3.0


class _Device:
    """One Syncthing and its folder."""

    def __init__(self, root: Path, folder: Path, kind: str) -> None:
        self._home, self._folder, self._kind = root, folder, kind
        self.port, self._gui = free_port(), free_port()
        self._program: Program | None = None
        self.id = self.entry = ""

    def prepare(self) -> None:
        """Make its home and its name."""
        self._home.mkdir()
        self._call("generate", "--no-default-folder", "--skip-port-probing")
        self.id = self._call("--device-id")
        self.entry = f'<device id="{self.id}"><address>tcp://127.0.0.1:{self.port}</address></device>'

    def start(self, *known: "_Device") -> None:
        """Write its settings, in which these two know each other, and start it."""
        settings = _CONFIG.format(
            folder=self._folder,
            kind=self._kind,
            port=self.port,
            gui=self._gui,
            members="".join(f'<device id="{each.id}"/>' for each in known),
            devices="".join(each.entry for each in known),
        )
        (self._home / "config.xml").write_text(settings)
        command = ["syncthing", "serve", f"--home={self._home}", "--no-restart", "--no-browser", "--no-upgrade"]
        self._program = Program(command, self._home / "out", env=self._environment())

    def stop(self) -> None:
        """End it and leave its folder as it was."""
        if self._program is not None:
            self._program.kill()  # asked to stop while it starts, it hangs now and then
        shutil.rmtree(self._folder / ".stfolder", ignore_errors=True)

    def _call(self, *arguments: str) -> str:
        command = ["syncthing", *arguments, f"--home={self._home}"]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def _environment(self) -> dict[str, str]:
        # One process, without the one that would start it anew: nothing is left when it is killed.
        return {**os.environ, "HOME": str(self._home), "STMONITORED": "yes"}


class Syncthing:
    """Two devices: what is in `docs` appears in `far`. Each file is flushed there before it gets its name."""

    name = "Syncthing"

    def __init__(self, docs: Path | None = None) -> None:
        """Make both and start the far one; `docs` is a folder of its own unless one is given."""
        self.root = Path(tempfile.mkdtemp(prefix="syncthing-", dir="/tmp"))
        self.far = self.root / "far"
        self.far.mkdir()
        self.docs = docs or self.root / "docs"
        self.docs.mkdir(exist_ok=True)
        (self.docs / ".stfolder").mkdir()
        (self.far / ".stfolder").mkdir()
        self._near = _Device(self.root / "near", self.docs, "sendonly")
        self._other = _Device(self.root / "other", self.far, "receiveonly")
        with undone(self.close):
            for device in (self._near, self._other):
                device.prepare()
            self._other.start(self._near, self._other)
            until(lambda: answers(self._other.port), "the far Syncthing answers")

    def start(self) -> None:
        """Start the near one: what is there goes over, and the folder is watched."""
        self._near.start(self._near, self._other)

    @classmethod
    def running(cls) -> "Syncthing":
        """Start both and wait until a file that was written later has come over."""
        made, number = cls(), itertools.count()
        with undone(made.close):
            made.start()
            until(lambda: made._hears(f"first{next(number)}"), "Syncthing's first copy", pause=0)
        return made

    def _hears(self, name: str) -> bool:
        (self.docs / name).write_text(name)
        until((self.far / name).exists, f"Syncthing copies {name}", limit=_AGAIN)
        return True

    def stop(self) -> None:
        """End both; may be called twice. A folder that was given is as it was."""
        self._near.stop()
        self._other.stop()

    def close(self) -> None:
        """End both and remove everything; a folder that was given stays."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
