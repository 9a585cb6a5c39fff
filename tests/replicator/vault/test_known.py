"""What the vault knows without asking the catalog."""

from hypothesis import given
from hypothesis import strategies as st

from replicator.known import Young

_paths = st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=4).map(b"/".join)


@given(st.lists(st.tuples(st.booleans(), _paths), max_size=40), _paths, st.integers(0, 20))
def test_only_what_never_was_is_said_never_to_have_been(
    steps: list[tuple[bool, bytes]], asked: bytes, most: int
) -> None:
    """Folders come, or are refused and come later, with files in them or before them: no path is forgotten."""
    young = Young(most)
    here: set[bytes] = set()

    def was(path: bytes) -> bool:
        return any(each == path or each.startswith(path + b"/") for each in here)

    for kept, path in steps:
        if not was(path):
            young.begin("s", path)
        if kept:
            here.add(path)
            young.note("s", path)
        assert len(young) <= most
        assert not (young.never("s", asked) and was(asked))
        assert not young.never("other", asked)


def test_refused_folders_are_forgotten_too() -> None:
    """A disk that is full refuses them all, over and over, under other names: the oldest make room."""
    young = Young(3)
    for number in range(10):
        young.begin("s", b"d%d" % number)
    assert len(young) == 3
    assert not young.never("s", b"d6/f")
    assert young.never("s", b"d7/f")
