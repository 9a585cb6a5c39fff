"""What somebody may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 12


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest known word, or what there is to choose from."""
    names = sorted(set(known))
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    if not names:
        return "there is none yet"
    return "known: " + ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
