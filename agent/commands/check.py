"""`check`: every problem of the file at once; what it would do; and, with `--connect`, whether everything answers."""

import asyncio
from pathlib import Path

import msgspec

from agent.client import ask, socket_path
from agent.commands.common import say, tell
from agent.errors import AgentError, hint_of, reason_of
from agent.requests import Status
from agent.table import safe, table
from agent.words import word
from config.errors import ConfigError, Problem
from config.fields import show_duration
from config.load import Loaded, examine
from config.model import Config

_SECONDS = 15.0


class Tried(msgspec.Struct, frozen=True):
    """What came of trying one thing."""

    name: str
    ok: bool
    text: str
    hint: str = ""


def check(path: Path, connect: bool) -> int:
    """Check the file; 2 when it has problems, 1 when something does not answer.

    Raises:
        ConfigError: every problem of the file.
    """
    loaded = examine(path)
    problems, notices = _everything(loaded)
    for notice in notices:
        tell(f"notice: {notice}")
    if problems:
        raise ConfigError(problems)
    say(f"{path}: {word('file_fine')}")
    for line in plan(loaded.config):
        say(f"  {safe(line)}")
    return _connect(loaded.config) if connect else 0


def _everything(loaded: Loaded) -> tuple[list[Problem], list[Problem]]:
    import alerts.check
    import sensors.check

    problems = dict.fromkeys([*loaded.problems, *sensors.check.problems(loaded.config)])
    notices = dict.fromkeys([*loaded.notices, *alerts.check.problems(loaded.config)])
    return list(problems), [notice for notice in notices if notice not in problems]


def plan(config: Config) -> list[str]:
    """Say in a few lines what running from this file would do. Pure but for the shipped profiles."""
    from sensors.budget import link_costs
    from sensors.profiles import load_profile

    profiles = {device.profile: load_profile(device.profile) for device in config.device}
    lines = []
    for link in config.link:
        costs = link_costs(config, link, profiles)
        share = sum(cost.share for cost in costs)
        lines.append(f"link {link.id}: {len(costs)} devices, {share:.0%} of its time")
    for number, route in enumerate(config.route, 1):
        steps = [
            f"after {show_duration(step.after)} {', '.join(step.contacts)} by {' or '.join(step.channels)}"
            for step in route.steps
        ]
        lines.append(f"route {number}: {', '.join(route.severity)}: {'; '.join(steps)}")
    if config.replicator is not None:
        names = ", ".join(f"{source.id} ({source.path})" for source in config.source)
        secure = "tls" if config.replicator.ca is not None else "plain, on loopback"
        lines.append(f"replicator: {names} to {config.replicator.vault} ({secure})")
    if config.vault is not None:
        lines.append(f"vault: {config.vault.root}, listening on {config.vault.listen}")
    lines += [f"secret: {path}" for path in secrets_of(config)]
    return lines


def secrets_of(config: Config) -> list[Path]:
    """Return the files that hold this configuration's secrets."""
    sections = [config.bus, config.replicator, config.vault, *config.channel]
    names = ("password_file", "token_file", "api_key_file", "key")
    found = [getattr(section, name, None) for section in sections for name in names]
    return [path for path in found if isinstance(path, Path)]


def _connect(config: Config) -> int:
    tried = asyncio.run(try_all(config))
    say(table([word("name"), word("result"), word("text")], [[t.name, _mark(t), _with_hint(t)] for t in tried]))
    return 0 if all(each.ok for each in tried) else 1


def _mark(tried: Tried) -> str:
    return word("ok") if tried.ok else word("failed")


def _with_hint(tried: Tried) -> str:
    return f"{tried.text} ({tried.hint})" if tried.hint and not tried.ok else tried.text


async def try_all(config: Config) -> list[Tried]:
    """Try every device, channel, broker and vault; each gets its own time."""
    groups = await asyncio.gather(_devices(config), _channels(config), _bus(config), _vault(config))
    return [tried for group in groups for tried in group]


async def _devices(config: Config) -> list[Tried]:
    """Read every device once; where the monitor runs and holds the wires, ask it."""
    if not config.link:
        return []
    try:
        answer = await ask(socket_path(config.site.state, "monitor"), Status())
    except AgentError:
        from sensors.probe import try_links

        return [Tried(each.name, each.ok, each.text, each.hint) for each in await try_links(config)]
    wanted = ("link:", "device:")
    found = [part for part in answer["parts"] if part["part"].startswith(wanted)]
    return [Tried(part["part"], part["up"], part["reason"] or "read by the monitor") for part in found]


async def _channels(config: Config) -> list[Tried]:
    from alerts.channels import build

    tried = []
    for settings in config.channel:
        channel = build(settings)
        try:
            async with asyncio.timeout(_SECONDS):
                await channel.check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is shown beside the channel
            tried.append(_failed(f"channel:{settings.id}", error))
        else:
            tried.append(Tried(f"channel:{settings.id}", ok=True, text=settings.kind))
        finally:
            await channel.close()
    return tried


async def _bus(config: Config) -> list[Tried]:
    if config.bus is None or config.monitor is None:
        return []
    if config.bus.embedded:
        return [Tried("bus", ok=True, text="the built-in broker starts with the monitor")]
    from agent.view import login_of, try_broker

    try:
        async with asyncio.timeout(_SECONDS):
            await try_broker(login_of(config.bus))
    except Exception as error:  # noqa: BLE001 - as above
        return [_failed("bus", error)]
    return [Tried("bus", ok=True, text=config.bus.url)]


async def _vault(config: Config) -> list[Tried]:
    if config.vault is None and config.replicator is None:
        return []
    try:
        async with asyncio.timeout(_SECONDS):
            positions = await asyncio.to_thread(_positions, config)
    except Exception as error:  # noqa: BLE001 - as above
        return [_failed("vault", error)]
    text = ", ".join(f"{source} at {position}" for source, position in sorted(positions.items()))
    return [Tried("vault", ok=True, text=text or "empty")]


def _positions(config: Config) -> dict[str, int]:
    from replicator.archive import open_archive

    over_network = config if config.replicator is None else config.model_copy(update={"vault": None})
    with open_archive(over_network) as archive:
        return archive.sources()


def _failed(name: str, error: BaseException) -> Tried:
    text = "no answer" if isinstance(error, TimeoutError) else reason_of(error)
    return Tried(name, ok=False, text=text, hint=hint_of(error))
