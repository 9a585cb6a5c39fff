"""The whole system on one machine, with a disaster, for people who want to see it before they believe it."""

import asyncio
from pathlib import Path


def run(for_: float | None, folder: Path | None, report: Path | None) -> int:
    """Play the demonstration and return the exit code.

    Args:
        for_: end by itself after so many seconds (never before the disaster was played), with a proof; None: on Ctrl-C.
        folder: what is replicated; it is made if it is not there, and never removed. None: a folder of its own.
        report: where to write what was measured, as JSON.

    Returns:
        0 when every alarm was delivered and every file came back from the vault (or, with neither `for_` nor `report`,
        when the user ended it); 1 when not.
    """
    from agent import logs
    from agent.demo.demo import Asked, play
    from agent.demo.narrator import Narrator
    from agent.demo.words import language

    logs.configure("demo", usual="warning")  # the terminal is the story's
    return asyncio.run(play(Asked(for_, folder, report), Narrator(language())))
