"""Which names a vault takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import PathError
from replicator.paths import check_path, check_source, show

GOOD = [b"a", b"a/b", "문서/보고서.hwp".encode(), "문서".encode("cp949"), b"a\nb", b"x" * 255, b"..a", b".hidden", b" "]
BAD = [
    b"",
    b"/",
    b"/etc",
    b"a/",
    b"a//b",
    b".",
    b"..",
    b"a/..",
    b"../a",
    b"a/./b",
    b"a\0b",
    b"x" * 256,
    b"a/" * 2048 + b"a",
]


@pytest.mark.parametrize("path", GOOD)
def test_names_are_bytes(path: bytes) -> None:
    """Any bytes that Linux takes for a name are taken."""
    check_path(path)


@pytest.mark.parametrize("path", BAD)
def test_what_could_lead_out_is_refused(path: bytes) -> None:
    """No path is taken that is not plainly below its source."""
    with pytest.raises(PathError):
        check_path(path)


@pytest.mark.parametrize("source", ["", "..", "a/b", ".", "-a", "a" * 65, "a b", "a\n", "문서"])
def test_a_source_is_a_plain_name(source: str) -> None:
    """A source id is a folder's name in the vault: nothing else is taken."""
    with pytest.raises(PathError):
        check_source(source)


@given(st.binary(max_size=2000))
def test_any_path_can_be_shown(path: bytes) -> None:
    """What people read has no control characters and a bounded length."""
    text = show(path)
    assert text.isprintable()
    assert len(text) <= 200
