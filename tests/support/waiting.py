"""Waiting for facts, never for the clock."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Generous: a loaded machine of two cores must not fail a test.
LIMIT = 60.0


def until(ask: Callable[[], T], what: str, limit: float = LIMIT, pause: float = 0.05) -> T:
    """Ask until the answer is true, and return it.

    An answer that raises `OSError`, `AssertionError`, `LookupError` or `ValueError` is a "not yet";
    the last of these is told at the end.

    Raises:
        AssertionError: it was still not so after `limit` seconds.
    """
    end = time.monotonic() + limit
    while True:
        cause = None
        try:
            answer = ask()
        except (OSError, AssertionError, LookupError, ValueError) as error:
            cause = error
        else:
            if answer:
                return answer
        if time.monotonic() > end:
            detail = f"last answer: {cause}" if cause else f"last answer: {answer!r}"
            raise AssertionError(f"after {limit:.0f} s still not so: {what}; {detail}") from cause
        time.sleep(pause)
