"""The device profiles that are shipped. To add a device: copy one of the files, then run the profile tests."""

import difflib
from functools import cache
from importlib.resources import files

from sensors.errors import ProfileError
from sensors.profile import Profile, parse_profile


def names() -> list[str]:
    """The names of all profiles, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in files(__name__).iterdir() if _is_profile(entry.name))


@cache
def load_profile(name: str) -> Profile:
    """One profile by its name.

    Raises:
        ProfileError: there is none of that name, or it is not usable.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]}?" if near else "bongsu profiles lists them"
        raise ProfileError(f"find profile {name}: there is none of that name", hint=hint)
    return parse_profile((files(__name__) / f"{name}.toml").read_text("utf-8"), name)


def _is_profile(name: str) -> bool:
    return name.endswith(".toml")
