"""What can go wrong in a demonstration.

DemoError
└── ChildError   a daemon ended by itself
"""


class DemoError(Exception):
    """The demonstration cannot go on; the text says why."""

    def __init__(self, text: str, hint: str = "") -> None:
        """Say why, and what to do about it."""
        super().__init__(text)
        self.hint = hint


class ChildError(DemoError):
    """A daemon ended by itself."""

    def __init__(self, name: str, code: int, tail: str) -> None:
        """Name the daemon, its exit code and the end of its log."""
        super().__init__(
            f"run {name}: it ended by itself with {code}\n{tail}", "the lines above are the end of its log"
        )
