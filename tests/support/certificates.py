"""Certificates made by openssl, as docs/certificates.md says."""

import subprocess
from pathlib import Path


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_ca(folder: Path, name: str = "ca") -> None:
    """Make NAME.pem and NAME.key: who may speak to whom."""
    _openssl(
        folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN=bongsu {name}",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip


def make_certificate(folder: Path, name: str, ca: str = "ca", *, address: str = "127.0.0.1") -> None:
    """Make NAME.pem and NAME.key, signed by the CA, for `localhost` and an address."""
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName=DNS:localhost,IP:{address}\nextendedKeyUsage=serverAuth,clientAuth\n")
    _openssl(
        folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}",
    )  # fmt: skip
    _openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial",
        "-days", "30", "-extfile", extensions.name, "-out", f"{name}.pem",
    )  # fmt: skip
