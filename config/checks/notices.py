"""Contacts, channels, routes and the witness."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from config import names
from config.address import is_loopback
from config.channels import File, Webhook
from config.errors import Problem, SecretError
from config.facts import Facts
from config.model import Route
from config.secret import read_secret, world_readable


def problems(facts: Facts) -> Iterator[Problem]:
    """Find people and paths that no message would reach."""
    for index, route in enumerate(facts.config.route):
        yield from _route(facts, index, route)
    for index, channel in enumerate(facts.config.channel):
        # For `check` only: a monitor runs without this channel, and tells it by the others.
        if isinstance(channel, Webhook) and channel.token_file and facts.part is None:
            try:
                read_secret(channel.token_file)
            except SecretError as error:
                yield Problem(facts.key("channel", index, "token_file"), str(error), error.hint)
        if isinstance(channel, File) and channel.path.is_dir():
            yield Problem(facts.key("channel", index, "path"), f"{channel.path} is a folder", "name a file in it")
    if facts.config.witness:
        for section in ("contacts", "channels"):
            for id_ in getattr(facts.config.witness, section):
                yield from facts.unknown(names.section("witness", section), section.removesuffix("s"), id_)


def notices(facts: Facts) -> Iterator[Problem]:
    """Find channels that nothing goes out by, and messages that others could read."""
    used = {id_ for route in facts.config.route for step in route.steps for id_ in step.channels}
    for index, channel in enumerate(facts.config.channel):
        if channel.id not in used:
            yield Problem(facts.key("channel", index), "no route uses it", "name it in a step of a [[route]]")
        if not isinstance(channel, Webhook):
            continue
        url = urlsplit(channel.url)
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            key = facts.key("channel", index, "url")
            yield Problem(key, "messages go over the network in clear", "write https:// where the receiver can")
        if channel.token_file and world_readable(channel.token_file):
            key = facts.key("channel", index, "token_file")
            yield Problem(key, "every user of this host can read it", f"chmod o-r {channel.token_file}")
    if facts.config.witness:
        yield Problem("[witness]", "it is not available yet", "silence of the server room shows in the vault's metrics")


def _route(facts: Facts, index: int, route: Route) -> Iterator[Problem]:
    before = None
    for number, step in enumerate(route.steps, 1):
        where = ("steps", f"#{number}")
        for section in ("contacts", "channels"):
            for id_ in getattr(step, section):
                yield from facts.unknown(facts.key("route", index, *where, section), section.removesuffix("s"), id_)
        if before is not None and step.after < before:
            text = "it comes before the step above it"
            yield Problem(facts.key("route", index, *where, "after"), text, "put the steps in the order of their times")
        if step.times > 1 and step.repeat is None:
            hint = 'write repeat = "60s" beside it'
            yield Problem(facts.key("route", index, *where, "times"), "nothing says how long to wait", hint)
        before = step.after
