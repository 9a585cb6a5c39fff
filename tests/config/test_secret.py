"""Secrets stay secret."""

import copy
import pickle
from pathlib import Path

import pytest
import structlog

from config.errors import SecretError
from config.secret import Secret, read_secret, world_readable


def test_secret_is_read_without_its_newline(tmp_path: Path) -> None:
    """An editor's newline, and the mark of a Windows one, are no part of it."""
    path = tmp_path / "key"
    path.write_bytes(b"\xef\xbb\xbfhunter2\r\n")
    assert read_secret(path).reveal() == "hunter2"


def test_secret_is_never_shown() -> None:
    """No way of printing, logging or writing it shows it."""
    secret = Secret("hunter2")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", "%s" % secret, repr({"a": [secret]})]  # noqa: UP031
    shown.append(structlog.processors.JSONRenderer()(None, "info", {"key": secret}).__str__())
    shown.append(structlog.dev.ConsoleRenderer()(None, "info", {"event": "x", "key": secret}))
    assert not [text for text in shown if "hunter2" in text]
    for write in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not written"):
            write(secret)


@pytest.mark.parametrize(
    ("content", "cause"), [(b" \n", "it is empty"), (b"\xb0\xa1", "no utf-8"), (b"x" * 70000, "longer than")]
)
def test_unfit_secret(tmp_path: Path, content: bytes, cause: str) -> None:
    """What cannot be a secret is refused, with the file's name and a hint."""
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(SecretError, match=cause) as caught:
        read_secret(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["missing", ".", "nul\0"])
def test_unreadable_secret(tmp_path: Path, name: str) -> None:
    """A file that is not there, or is none, is told."""
    with pytest.raises(SecretError, match="read secret"):
        read_secret(tmp_path / name)


def test_world_readable(tmp_path: Path) -> None:
    """Only what every user may read is remarked on."""
    path = tmp_path / "key"
    path.write_text("x")
    path.chmod(0o640)
    assert not world_readable(path)
    path.chmod(0o644)
    assert world_readable(path)
    assert not world_readable(tmp_path / "missing")
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a")}) == 1
