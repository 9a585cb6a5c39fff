"""The embedded broker's own process: `python -m agent.broker_child`. amqtt only here.

A broker written in Python within the monitor's loop would slow the road from alarm to message. It reads its settings
from standard input (a password does not belong in an argument), says `ready PORT` or `error TEXT`, and dies with its
parent, however that ends.
"""

import asyncio
import ctypes
import hmac
import os
import signal
import sys
from dataclasses import dataclass

import msgspec
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from config.address import is_loopback

_PR_SET_PDEATHSIG = 1
_NAME = "default"


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is told.

    Attributes:
        host: address to listen on.
        port: port to listen on, 0 for any.
        parent: process id of whoever started us.
        username: who may connect; empty for anybody, on loopback only.
        password: with this password.
        cert: certificate of `mqtts://`, or None for plain MQTT.
        key: its key.
        ca: of the clients' certificates, or None.
    """

    host: str
    port: int
    parent: int
    username: str = ""
    password: str = ""
    cert: str | None = None
    key: str | None = None
    ca: str | None = None


class OneUser(BaseAuthPlugin):  # type: ignore[misc]  # amqtt has no types
    """Lets one user in, or anybody where none is set."""

    @dataclass
    class Config:
        """What the broker's configuration gives the plugin."""

        username: str = ""
        password: str = ""

    async def authenticate(self, *, session: Session) -> bool:
        """Return whether the session's user is the one."""
        if not self.config.username:
            return True
        user, password = session.username or "", session.password or ""
        known = hmac.compare_digest(user.encode(), self.config.username.encode())
        return hmac.compare_digest(password.encode(), self.config.password.encode()) and known


def _die_with_parent(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)


def _config(settings: BrokerSettings) -> BrokerConfig:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    listener = ListenerConfig(
        bind=f"{host}:{settings.port}",
        ssl=settings.cert is not None,
        certfile=settings.cert,
        keyfile=settings.key,
        cafile=settings.ca,
    )
    user = {"username": settings.username, "password": settings.password}
    return BrokerConfig(listeners={_NAME: listener}, plugins={f"{OneUser.__module__}.OneUser": user})


async def _serve(settings: BrokerSettings) -> None:
    if not settings.username and not is_loopback(settings.host):
        raise ValueError(f"anonymous MQTT is for loopback only, not for {settings.host}")
    broker = Broker(_config(settings))
    await broker.start()
    port = broker._servers[_NAME].instance.sockets[0].getsockname()[1]  # noqa: SLF001 - amqtt tells it nowhere else
    print(f"ready {port}", flush=True)  # noqa: T201 - the parent reads it
    await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=BrokerSettings)
    _die_with_parent(settings.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        asyncio.run(_serve(settings))
    except Exception as error:  # noqa: BLE001 - the parent is told, whatever it was
        cause = error.__cause__ or error
        print("error", " ".join(str(cause).split()) or type(cause).__name__, flush=True)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    # Under its importable name, so that the plugin is found there.
    from agent.broker_child import main as run

    run()
