"""`history` and `restore` together: a time that one shows is a time that the other takes."""

import json
import time
from pathlib import Path

import pytest

from agent.commands.archive import history, restore
from tests.replicator.vault.support import SOURCE, opened


def test_the_time_of_a_version_restores_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever copies the time of a version from `history` to `restore --at` gets that version, not the one before."""
    root, config = tmp_path / "vault", tmp_path / "bongsu.toml"
    config.write_text(
        f'[site]\nid = "sancheong"\nname = "test"\nstate = "{tmp_path}"\n'
        f'[vault]\nlisten = "127.0.0.1:0"\nroot = "{root}"\n'
    )
    with opened(root) as bench:
        for number in range(5):
            assert bench.file(b"document", b"version %d" % number) == "done"
            end = time.time_ns() + 2_000_000
            while time.time_ns() < end:  # no two within the same millisecond
                time.sleep(0.001)
    assert history("document", config, as_json=True) == 0
    versions = json.loads(capsys.readouterr().out)
    assert len(versions) == 5
    for number, version in enumerate(reversed(versions)):
        target = tmp_path / f"restored {number}"
        assert restore(config, target, version["at"], SOURCE, []) == 0
        assert (target / "document").read_bytes() == b"version %d" % number
