"""The page about certificates, followed to the letter."""

import asyncio
import re
import ssl
import subprocess
from pathlib import Path

import pytest

from config.load import load_for
from replicator.tls import client_context, server_context

ROOT = Path(__file__).parents[1]
PAGES = ("certificates.md", "certificates.ko.md")


def commands(page: str) -> list[str]:
    """Return the commands of a page that are to be run as they stand."""
    return re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)


def follow(folder: Path, page: str = PAGES[0]) -> Path:
    """Run a page's commands one after the other, as a person at one terminal does."""
    script = "set -eu\n" + "\n".join(commands(page))
    result = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "VAULT_HOST": "localhost", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "bongsu-tls"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the certificates once."""
    return follow(tmp_path_factory.mktemp("made"))


async def greet(server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> tuple[bytes, str]:
    """Let a client greet a server; return what it heard back, and by which protocol."""
    assert server
    assert client

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="localhost")
        try:
            writer.write(b"hello\n")
            heard = await reader.readline()
            return heard, str(writer.get_extra_info("ssl_object").version())
        finally:
            writer.close()


def test_both_pages_say_the_same_commands() -> None:
    """The Korean page gives the commands of the English one."""
    assert len(commands(PAGES[0])) == 5
    assert commands(PAGES[0]) == commands(PAGES[1])


def test_both_ends_take_them(made: Path) -> None:
    """What the page makes opens a TLS 1.3 connection between our two ends, checked as strictly as Python can."""
    server = server_context("0.0.0.0", made / "ca.pem", made / "vault.pem", made / "vault.key")
    client = client_context("localhost", made / "ca.pem", made / "server-room.pem", made / "server-room.key")
    for context in (server, client):
        assert context
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert asyncio.run(greet(server, client)) == (b"hello\n", "TLSv1.3")


def test_another_authority_is_refused(made: Path, tmp_path: Path) -> None:
    """Certificates of another authority, made by the same page, do not open the vault."""
    other = follow(tmp_path)
    server = server_context("0.0.0.0", made / "ca.pem", made / "vault.pem", made / "vault.key")
    client = client_context("localhost", other / "ca.pem", other / "server-room.pem", other / "server-room.key")
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(greet(server, client))


def test_keys_are_for_their_owner_alone(made: Path) -> None:
    """The page leaves no key that others can read."""
    assert [key.stat().st_mode & 0o077 for key in sorted(made.glob("*.key"))] == [0, 0, 0]


def test_examples_find_them_where_the_page_puts_them(made: Path, tmp_path: Path) -> None:
    """The shipped configurations load with the page's files under the names that the page uses."""
    (tmp_path / "tls").symlink_to(made)
    for name, part in (("server-room", "replicator"), ("vault", "vault")):
        file = tmp_path / f"{name}.toml"
        file.write_bytes((ROOT / "config" / "examples" / file.name).read_bytes())
        assert load_for(file, "replicator" if part == "replicator" else "vault")
