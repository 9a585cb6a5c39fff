"""What can go wrong around the daemons.

AgentError
├── FatalError                the process must end: it cannot do its work from here
│   └── AlreadyRunningError   another one of the same daemon holds the state directory
├── NotRunningError           nobody answers at a daemon's control socket
├── RequestRefusedError       the daemon answered, and its answer is no
└── BusError                  the broker cannot be reached or does not answer
"""


class AgentError(Exception):
    """Base of every error of this package.

    Attributes:
        hint: the operator's next step, or empty.
    """

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


class FatalError(AgentError):
    """The process must end with exit code 1; starting the task again would not help."""


class AlreadyRunningError(FatalError):
    """Another daemon of the same part works in this state directory."""


class NotRunningError(AgentError):
    """No daemon answers at its control socket."""


class RequestRefusedError(AgentError):
    """A daemon refused a request; the text is its own."""


class BusError(AgentError):
    """The broker cannot be reached, refuses us, or does not answer."""


def hint_of(error: BaseException) -> str:
    """Return an error's hint, whichever package it comes from, or an empty text."""
    hint = getattr(error, "hint", "")
    return hint if isinstance(hint, str) else ""


def reason_of(error: BaseException) -> str:
    """Return one line that says what an error is; never empty."""
    text = str(error).strip() or type(error).__name__
    return " ".join(text.split())
