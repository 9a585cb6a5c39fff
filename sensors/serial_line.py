"""A serial port, opened for us alone."""

import asyncio
import contextlib
import errno
import fcntl
import os
import termios

import serial

from config.address import LinkAddress
from sensors.errors import LinkDownError
from sensors.wire import Inbox

#: An adapter whose driver hangs must be told as down: whoever waits for it would show its old values for ever.
_OPENING = 5.0
_HINTS = {
    errno.ENOENT: "is the adapter plugged in? ls /dev/serial/by-id",
    errno.EACCES: "add the service's user to the group dialout",
    errno.EBUSY: "another program holds the port: fuser shows which",
    errno.EAGAIN: "another program holds the port: fuser shows which",
}


class SerialWire:
    """An open serial port. Unplugging the adapter breaks it; it is opened anew by its path."""

    def __init__(self, port: serial.Serial) -> None:
        self.inbox = Inbox()
        self._port = port
        self._fd = port.fileno()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    @classmethod
    async def open(cls, address: LinkAddress) -> "SerialWire":
        """Open the port; it may take a moment, so a thread does it.

        Raises:
            LinkDownError: it is not there, not allowed, in use, or its driver hangs.
        """
        opening = asyncio.ensure_future(asyncio.to_thread(_open, address))
        try:
            async with asyncio.timeout(_OPENING):
                return cls(await asyncio.shield(opening))
        except TimeoutError:
            opening.add_done_callback(_close_late)
            text = f"open {address.device}: not open after {_OPENING:g} s"
            raise LinkDownError(text, hint="plug the adapter out and in: dmesg shows what its driver says") from None
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise

    def write(self, data: bytes) -> None:
        """Put bytes on the line; a request is far smaller than the kernel's buffer."""
        if self.inbox.broken is not None:
            raise LinkDownError(f"write port: {self.inbox.broken}")
        try:
            sent = os.write(self._fd, data)
        except OSError as error:
            self.inbox.fail(error.strerror or str(error))
            raise LinkDownError(f"write port: {error.strerror}") from error
        if sent != len(data):
            raise LinkDownError("write port: its buffer is full", hint="flow control must be off")

    def close(self) -> None:
        """Close the port."""
        self.inbox.fail("closed")
        if self._port.is_open:
            self._loop.remove_reader(self._fd)
            with contextlib.suppress(OSError):
                self._port.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, 512)
        except BlockingIOError:
            return
        except OSError as error:
            data = b""
            self.inbox.fail(error.strerror or str(error))
        if data:
            self.inbox.feed(data)
        else:
            self.inbox.fail("the port is gone")
            self._loop.remove_reader(self._fd)


def _open(address: LinkAddress) -> serial.Serial:
    try:
        port = serial.Serial(
            str(address.device),
            baudrate=address.baud,
            parity=address.parity,
            stopbits=address.stopbits,
            bytesize=address.bytesize,
            timeout=0,
            exclusive=True,  # flock: stops a second bongsu, whoever runs it
        )
    except (serial.SerialException, ValueError, termios.error) as error:
        number = getattr(error, "errno", None)
        text = os.strerror(number) if number else str(error)
        raise LinkDownError(f"open {address.device}: {text}", hint=_HINTS.get(number or 0, "")) from error
    _make_ours(port.fileno())
    return port


def _make_ours(fd: int) -> None:
    """Keep out programs that know nothing of flock, and let a read of no bytes mean only that the port is gone."""
    fcntl.ioctl(fd, termios.TIOCEXCL)
    settings = termios.tcgetattr(fd)
    settings[6][termios.VMIN] = 1
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    os.set_blocking(fd, False)


def _close_late(opening: "asyncio.Future[serial.Serial]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
