"""TLS 1.3 contexts with certificates at both ends; plain TCP only on loopback."""

import ssl
from pathlib import Path

from config.address import is_loopback
from replicator.errors import TlsError


def client_context(host: str, ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """The context of a sender or reader that speaks to the vault at `host`; None for plain TCP on loopback.

    Raises:
        TlsError: a file is missing or wrong, or plain TCP would leave this machine.
    """
    if not (ca or cert or key):
        _only_on_loopback("connect to vault", host)
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return _fill(context, ca, cert, key)


def server_context(host: str, ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """The context of a vault that listens on `host`: it asks every client for a certificate of `ca`.

    Raises:
        TlsError: as in `client_context`.
    """
    if not (ca or cert or key):
        _only_on_loopback("listen on", host)
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    return _fill(context, ca, cert, key)


def _only_on_loopback(doing: str, host: str) -> None:
    if not is_loopback(host):
        raise TlsError(
            f"{doing} {host}: plain TCP is for loopback only",
            hint="set ca, cert and key, in [vault] as in [replicator]",
        )


def _fill(context: ssl.SSLContext, ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    if ca is None or cert is None or key is None:
        missing = ", ".join(name for name, path in (("ca", ca), ("cert", cert), ("key", key)) if path is None)
        raise TlsError(f"set up tls: {missing} is missing", hint="give ca, cert and key together, or none on loopback")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    for path in (ca, cert, key):
        _readable(path)
    try:
        context.load_verify_locations(cafile=ca)
    except (ssl.SSLError, OSError) as error:
        raise TlsError(
            f"read ca {ca}: {_cause(error)}", hint="a PEM file with the certificate of your own CA"
        ) from None
    try:
        context.load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as error:
        raise TlsError(f"read cert {cert} with key {key}: {_cause(error)}", hint="they must belong together") from None
    return context


def _readable(path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise TlsError(
            f"read {path}: {str(error.strerror).lower()}", hint="check the path and who may read it"
        ) from None


def _cause(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or error).lower().replace("_", " ")


def handshake_error(peer: str, error: OSError) -> TlsError:
    """What a failed handshake with `peer` means, in words for the operator."""
    if isinstance(error, ssl.SSLCertVerificationError):
        text, hint = error.verify_message, "both ends need certificates of the same ca, and the vault's its host name"
    else:
        text, hint = _cause(error), "the other end refused our certificate, or does not speak tls 1.3"
    return TlsError(f"secure connection with {peer}: {text}", hint=hint)


def refused_error(peer: str) -> TlsError:
    """What it means when the other end closes before its first word: asyncio's server keeps the reason to itself."""
    return TlsError(
        f"secure connection with {peer}: it closed before the first word",
        hint="it most likely refused our certificate: both ends need one of the same ca; its log says why",
    )
