"""One daemon of the demonstration, as a process that ends with the demonstration, even when that is killed."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent ends; end at once if it has ended already.

    Raises:
        OSError: the kernel refused.
        SystemExit: the parent is gone.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        raise SystemExit(1)


def main() -> None:
    """`python -m agent.demo.child PARENT ARGUMENT...`: be `bongsu ARGUMENT...` until the parent ends."""
    parent, *arguments = sys.argv[1:]
    die_with_parent(int(parent))
    sys.argv = ["bongsu", *arguments]
    from agent.cli import main as bongsu

    bongsu()


if __name__ == "__main__":
    main()
