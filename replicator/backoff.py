"""How long a path that could not be sent waits before it is tried again."""

#: Seconds before an unreadable or refused path is tried again: doubled each time, up to the second.
_RETRY, _RETRY_MOST = 1.0, 300.0
#: Seconds before a path that the vault will never take is tried again.
PERMANENT = 3600.0
#: Seconds before a file that changed while it was read is read again: doubled each time, up to the second.
_BUSY, BUSY_MOST = 0.05, 1.0


def retry(tries: int) -> float:
    """Seconds after so many tries that came to an error."""
    return float(min(_RETRY * 2 ** min(tries, 20), _RETRY_MOST))


def busy(tries: int) -> float:
    """Seconds after so many tries in which it changed."""
    return float(min(_BUSY * 2 ** min(tries, 10), BUSY_MOST))
