"""The watcher that takes the best way of seeing a tree that works here."""

import os

from replicator.events import InotifyWatcher
from replicator.exclude import Excludes
from replicator.filesystem import FanotifyWatcher
from replicator.mounts import mount_of, mounts
from replicator.watcher import Listener, ScanWatcher, Watcher


class BestWatcher:
    """fanotify where the kernel, the rights and the file system allow it, else inotify.

    On a file system that other machines write to neither sees them, so there only scans do.
    """

    def __init__(self, excludes: Excludes | None = None) -> None:
        self._excludes = excludes or Excludes(())
        self._watcher: Watcher = ScanWatcher()
        self._stopped = False
        self.why = ""

    @property
    def method(self) -> str:
        """Of what was taken."""
        return self._watcher.method

    def start(self, root: bytes, listener: Listener) -> None:
        """Watch with the best that starts.

        Raises:
            OSError: not even inotify can watch the root, or it is not there.
        """
        mount = mount_of(os.path.realpath(root), mounts())
        if mount is not None and mount.shared:
            os.lstat(root + b"/.")
            self.why = f"events: other machines may change {os.fsdecode(mount.kind)} unseen"
            return
        self._watcher = FanotifyWatcher(self._excludes)
        try:
            self._watcher.start(root, listener)
        except OSError as error:
            os.lstat(root + b"/.")
            self.why = f"fanotify: {error.strerror}"
            self._watcher = InotifyWatcher(self._excludes)
            if not self._stopped:
                self._watcher.start(root, listener)

    def drain(self, limit: float) -> bool:
        """As of what was taken."""
        return self._watcher.drain(limit)

    def stop(self) -> None:
        """As of what was taken."""
        self._stopped = True
        self._watcher.stop()
