"""One JSON object a line, appended and flushed."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from alerts.channel import DeliveryError, Message, Reason, Receipt, payload
from config.channels import File

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
_MODE = 0o640


class FileChannel:
    """Appends in one thread of its own: a disk that hangs holds nobody else, and lines never mix."""

    kind = "file"

    def __init__(self, settings: File) -> None:
        self.id = settings.id
        self._path = settings.path
        self._thread: ThreadPoolExecutor | None = None

    async def send(self, message: Message) -> Receipt:
        """Append the message as one line; accepted means that it is on the disk."""
        line = msgspec.json.encode(payload(message)) + b"\n"
        await self._run(lambda: self._append(line))
        return Receipt(text=f"appended {len(line)} bytes")

    async def check(self) -> None:
        """Open the file for appending; it is made when it is not there."""
        await self._run(lambda: os.close(self._opened()))

    async def close(self) -> None:
        """Let the thread end; a disk that hangs is not waited for."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], None]) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"channel-{self.id}")
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            hint = f"make room, or let this user write {self._path}"
            raise DeliveryError(Reason.DISK, f"append to {self._path}: {cause.lower()}", hint) from error

    def _opened(self) -> int:
        return os.open(self._path, _FLAGS, _MODE)

    def _append(self, line: bytes) -> None:
        """Write one line. A line that a crash or a full disk tore off before is ended first, so it spoils no other."""
        handle = self._opened()
        try:
            data = line if self._ended(handle) else b"\n" + line
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        finally:
            os.close(handle)

    @staticmethod
    def _ended(handle: int) -> bool:
        size = os.fstat(handle).st_size
        return size == 0 or os.pread(handle, 1, size - 1) == b"\n"
