"""Logs: one JSON object a line where nobody looks on, whoever speaks."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from agent import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in logs._QUIET}
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


def test_ours_and_the_libraries_lines_are_json() -> None:
    """Each line is an object with time, level, logger and the daemon's name; Korean stays readable."""
    out = io.StringIO()
    logs.configure("monitor", stream=out)
    structlog.get_logger("agent.x").info("랙1 온도", value=35.2)
    logging.getLogger("some.library").warning("careful: %s", "x")
    ours, theirs = (json.loads(line) for line in out.getvalue().splitlines())
    assert (ours["event"], ours["value"], ours["level"], ours["daemon"]) == ("랙1 온도", 35.2, "info", "monitor")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("careful: x", "warning", "some.library")
    assert "랙1" in out.getvalue()


def test_an_exception_is_one_line() -> None:
    """A traceback is a field of its line, not lines of its own."""
    out = io.StringIO()
    logs.configure("vault", stream=out)
    try:
        raise OSError("cut")
    except OSError:
        structlog.get_logger("agent.x").exception("failed")
    (line,) = out.getvalue().splitlines()
    assert "OSError: cut" in json.loads(line)["exception"]


def test_the_level_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """BONGSU_LOG decides; a word that is no level is info."""
    for text, lines in (("error", 0), ("debug", 2), ("loud", 1)):
        out = io.StringIO()
        monkeypatch.setenv(logs.LEVEL_VARIABLE, text)
        logs.configure(stream=out)
        structlog.get_logger("agent.x").debug("one")
        structlog.get_logger("agent.x").info("two")
        assert len(out.getvalue().splitlines()) == lines
