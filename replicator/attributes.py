"""Extended attributes, ACLs among them: which are carried, how they are read, and how they are set again."""

import errno
import itertools
import os
from collections.abc import Callable
from functools import partial

from replicator.canary import CANARY
from replicator.change import Kind, Xattrs

#: Most bytes of a path's attributes, names and values; with path and target they must fit a header.
XATTRS_MAX = 32 * 1024
#: What each attribute adds to names and values in a header.
PER_XATTR = 8
#: Longest name of an attribute (xattr(7)).
NAME_MAX = 255
USER = b"user."
ACLS = frozenset({b"system.posix_acl_access", b"system.posix_acl_default"})
#: A program's rights beyond its user's; as much a matter of trust as a set-uid bit.
CAPABILITY = b"security.capability"

_NONE: tuple[Xattrs, int] = ((), 0)
_UNSUPPORTED = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP})


def carried(name: bytes) -> bool:
    """Whether an attribute belongs to the document; labels and `trusted.*` belong to the host that set them."""
    return (name.startswith(USER) and name != CANARY.encode()) or name in ACLS or name == CAPABILITY


def read_xattrs(path: int | bytes, kind: Kind) -> tuple[Xattrs, int]:
    """The attributes of an open file or of a path, sorted by name, and how many were left out.

    ACLs and capabilities sort before the rest, so they are the last to be left out for want of room.

    Raises:
        OSError: the path is gone.
    """
    if kind is Kind.LINK:
        return _NONE
    try:
        names = os.listxattr(path)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return _NONE
        raise
    if not names:
        return _NONE
    found: list[tuple[bytes, bytes]] = []
    lacking = size = 0
    for name in sorted(filter(carried, map(os.fsencode, names))):
        try:
            value = os.getxattr(path, name)
        except OSError as error:
            lacking += error.errno != errno.ENODATA  # that one was just taken away
            continue
        size += len(name) + len(value) + PER_XATTR
        if size > XATTRS_MAX:
            lacking += 1
            size -= len(name) + len(value) + PER_XATTR
        else:
            found.append((name, value))
    return tuple(found), lacking


def size_of(xattrs: Xattrs) -> int:
    """Their bytes in a header."""
    return sum(len(name) + len(value) + PER_XATTR for name, value in xattrs)


def sound(xattrs: Xattrs) -> bool:
    """Whether these are attributes that a path can have and that are carried, each once, in order."""
    names = [name for name, _ in xattrs]
    return (
        size_of(xattrs) <= XATTRS_MAX
        and all(carried(name) and len(name) <= NAME_MAX and b"\0" not in name for name in names)
        and all(one < other for one, other in itertools.pairwise(names))
    )


def set_xattrs(descriptor: int, wanted: Xattrs, *, may: Callable[[bytes], bool]) -> list[tuple[bytes, str]]:
    """Give an open file exactly these attributes, of those that may be set; those that were refused, with the reason.

    To be called after the owner is set (that drops capabilities) and before the mode (that may forbid writing).
    """
    wanted = tuple((name, value) for name, value in wanted if may(name))
    try:
        present = {os.fsencode(name) for name in os.listxattr(descriptor)}
    except OSError as error:
        return [(name, _why(error)) for name, _ in wanted]
    refused: list[tuple[bytes, str]] = []
    for name in filter(carried, present - {name for name, _ in wanted}):  # inherited from the folder above
        _try(partial(os.removexattr, descriptor, name))
    for name, value in reversed(wanted):
        reason = _try(partial(os.setxattr, descriptor, name, value))
        if reason:
            refused.append((name, reason))
    return refused


def _try(work: Callable[[], None]) -> str:
    try:
        work()
    except OSError as error:
        return _why(error)
    return ""


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
