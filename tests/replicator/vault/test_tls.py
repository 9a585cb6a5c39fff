"""Certificates at both ends."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from config.address import VaultAddress
from replicator.errors import StreamError, TlsError
from replicator.messages import Done
from replicator.remote import RemoteArchive
from replicator.tls import client_context, server_context
from tests.replicator.vault.support import SOURCE, sending, serving, wait_until


class Pair(NamedTuple):
    """A certificate's file and its key's."""

    cert: Path
    key: Path


class Authority:
    """A CA of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
        basic = x509.BasicConstraints(ca=True, path_length=0)
        cert = self._builder(self._name, self._key).add_extension(basic, critical=True).sign(self._key, hashes.SHA256())
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(cert.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, address: str = "127.0.0.1", *, days: int = 1) -> Pair:
        """A certificate for an address."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        cert = self._builder(subject, key, days).add_extension(names, critical=False).sign(self._key, hashes.SHA256())
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
        return pair

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=10))
            .not_valid_after(now + dt.timedelta(days=days))
        )


class Office(NamedTuple):
    """A CA with a certificate for each end, and another CA with its own."""

    ours: Authority
    vault: Pair
    room: Pair
    theirs: Authority
    stranger: Pair


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Two CAs."""
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = Authority(folder / "ours"), Authority(folder / "theirs")
    return Office(ours, ours.issue("vault"), ours.issue("room"), theirs, theirs.issue("stranger"))


def _client(office: Office, pair: Pair, ca: Path | None = None) -> ssl.SSLContext | None:
    return client_context("127.0.0.1", ca or office.ours.ca, *pair)


def test_both_ends_with_certificates_speak_tls_1_3(tmp_path: Path, office: Office) -> None:
    """Sender and reader work over TLS 1.3 when certificates fit."""

    async def scenario() -> None:
        async with serving(tmp_path, ca=office.ours.ca, cert=office.vault.cert, key=office.vault.key) as server:
            async with sending(server.port, context=_client(office, office.room)) as sender:
                assert sender.stream._transport.get_extra_info("ssl_object").version() == "TLSv1.3"
                assert isinstance(await sender.file(b"large", b"x" * 3_000_000), Done)
            address = VaultAddress("127.0.0.1", server.port)
            assert await asyncio.to_thread(_sources, address, _client(office, office.room)) == {SOURCE: 2}

    asyncio.run(scenario())


def _sources(address: VaultAddress, context: ssl.SSLContext | None) -> dict[str, int]:
    with RemoteArchive(address, context) as archive:
        return archive.sources()


def test_a_stranger_is_refused_and_both_ends_say_why(tmp_path: Path, office: Office) -> None:
    """A client whose certificate is of another CA gets nothing; vault and client each name the reason."""

    async def scenario() -> None:
        async with serving(tmp_path, ca=office.ours.ca, cert=office.vault.cert, key=office.vault.key) as server:
            with pytest.raises(TlsError, match="closed before the first word") as caught:
                async with sending(server.port, context=_client(office, office.stranger)):
                    pass
            assert "certificate" in caught.value.hint
            with pytest.raises(TlsError, match="closed before the first word"):
                await asyncio.to_thread(
                    _sources, VaultAddress("127.0.0.1", server.port), _client(office, office.stranger)
                )
            await wait_until(lambda: any(log["event"] == "connection dropped" for log in logs))
            async with sending(server.port, context=_client(office, office.room)) as sender:
                assert isinstance(await sender.file(b"a", b"x"), Done)

    with capture_logs() as logs:
        asyncio.run(scenario())
    dropped = [log for log in logs if log["event"] == "connection dropped"]
    assert len(dropped) == 1  # told once, though it came twice
    assert "unable to get" in dropped[0]["text"] or "self-signed" in dropped[0]["text"]


def test_a_vault_of_another_ca_is_refused_by_the_client(tmp_path: Path, office: Office) -> None:
    """The sender does not give documents to a vault that it cannot verify."""

    async def scenario() -> None:
        async with serving(tmp_path, ca=office.ours.ca, cert=office.vault.cert, key=office.vault.key) as server:
            with pytest.raises(TlsError, match=r"certificate|issuer") as caught:
                async with sending(server.port, context=_client(office, office.room, office.theirs.ca)):
                    pass
            assert "same ca" in caught.value.hint

    asyncio.run(scenario())


@pytest.mark.parametrize("what", ["name", "date"])
def test_the_vaults_name_and_date_are_checked(tmp_path: Path, office: Office, what: str) -> None:
    """A certificate of our CA for another host, or one that has ended, is no vault's."""
    bad = office.ours.issue("bad", "127.0.0.9") if what == "name" else office.ours.issue("bad", days=-1)

    async def scenario() -> None:
        async with serving(tmp_path, ca=office.ours.ca, cert=bad.cert, key=bad.key) as server:
            with pytest.raises(TlsError, match="address" if what == "name" else "expired"):
                async with sending(server.port, context=_client(office, office.room)):
                    pass

    asyncio.run(scenario())


def test_plain_tcp_to_a_tls_vault_ends(tmp_path: Path, office: Office) -> None:
    """Who speaks no TLS gets no answer, and the vault goes on."""

    async def scenario() -> None:
        async with serving(tmp_path, ca=office.ours.ca, cert=office.vault.cert, key=office.vault.key) as server:
            with pytest.raises(StreamError):
                async with sending(server.port):
                    pass
            async with sending(server.port, context=_client(office, office.room)) as sender:
                assert isinstance(await sender.file(b"a", b"x"), Done)

    asyncio.run(scenario())


def test_what_is_wrong_with_the_files_is_said(tmp_path: Path, office: Office) -> None:
    """Each wrong file is named; a part of the three is not enough; plain TCP is for loopback."""
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    with pytest.raises(TlsError, match=r"junk\.pem"):
        client_context("vault", junk, *office.room)
    with pytest.raises(TlsError, match=r"none\.pem: no such file"):
        server_context("0.0.0.0", office.ours.ca, tmp_path / "none.pem", office.vault.key)
    with pytest.raises(TlsError, match=r"room\.pem with key"):
        client_context("vault", office.ours.ca, office.room.cert, office.vault.key)
    with pytest.raises(TlsError, match="key is missing"):
        client_context("127.0.0.1", office.ours.ca, office.room.cert, None)
    with pytest.raises(TlsError, match="loopback"):
        client_context("vault.example", None, None, None)
    assert client_context("127.0.0.1", None, None, None) is None
