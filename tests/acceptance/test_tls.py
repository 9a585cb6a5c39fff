"""Between the buildings: certificates made by openssl, and who has none is told why."""

from pathlib import Path

import pytest

from tests.acceptance.office import Office, run
from tests.support.certificates import make_ca, make_certificate
from tests.support.trees import same, snapshot
from tests.support.waiting import until


def _keys(name: str, ca: str = "ca") -> str:
    return f'ca = "{ca}.pem"\ncert = "{name}.pem"\nkey = "{name}.key"\n'


@pytest.fixture(scope="module")
def secure(office: Office) -> Office:
    """A vault that demands certificates of our own authority."""
    make_ca(office.root)
    make_ca(office.root, "other")
    for name in ("server-room", "vault"):
        make_certificate(office.root, name)
    make_certificate(office.root, "stranger", ca="other")
    office.with_replicator()
    office.vault["vault"] += _keys("vault")
    office.room["replicator"] += _keys("server-room")
    (office.docs / "letter.txt").write_text("letter")
    office.start("vault")
    office.start("replicator")
    return office


def test_documents_travel_by_tls(secure: Office) -> None:
    """With certificates the documents arrive, and a restore over the network brings them back."""
    secure.settle()
    assert same(snapshot(secure.docs), secure.restore("back"))


@pytest.mark.parametrize(
    "keys", ["", _keys("stranger", ca="other"), _keys("stranger")], ids=["none", "other authority", "stranger"]
)
def test_a_stranger_is_refused(secure: Office, tmp_path: Path, keys: str) -> None:
    """Without our authority's certificate nothing is read: one line that says why, with exit 1, and the vault lives."""
    secure.settle()
    text = "\n".join(secure.room.values()).replace(_keys("server-room"), keys)
    file = secure.root / f"stranger{abs(hash(keys))}.toml"
    file.write_text(text)
    refused = run("restore", "--config", str(file), "--to", str(tmp_path / "loot"))
    assert refused.returncode == 1, refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stderr.strip()
    assert not list((tmp_path / "loot").rglob("*"))
    (secure.docs / "next.txt").write_text(keys)
    until(lambda: secure.shows(snapshot(secure.docs)), "the vault goes on")
