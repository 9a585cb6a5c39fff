"""The command `bongsu`: what users type. Everything heavy is imported by the command that needs it."""

import os
import signal
import sys
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

_DEBUG = "BONGSU_DEBUG"

app = typer.Typer(
    name="bongsu",
    help="Beacon hills for a server room: sees a disaster, tells people, and carries every document out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Daemon(StrEnum):
    """The three daemons."""

    MONITOR = "monitor"
    REPLICATOR = "replicator"
    VAULT = "vault"


def _duration(text: str | timedelta) -> timedelta:
    from config.fields import parse_duration

    try:
        value = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if value <= timedelta(0):
        raise typer.BadParameter("it must be longer than 0")
    return value


Config = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration, a TOML file.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@app.command()
def run(
    part: Annotated[Daemon, typer.Argument(metavar="monitor|replicator|vault", help="Which daemon.")],
    config: Config,
) -> None:
    """Run one daemon in the foreground. SIGTERM drains and stops it, a second one stops it at once."""
    _end_when_asked()
    from agent.quick import quick_imports

    with quick_imports():
        from agent.daemon import run as run_daemon

    run_daemon(part.value, config)


@app.command()
def check(
    config: Config,
    connect: Annotated[bool, typer.Option("--connect", help="Also try every device, channel, broker, vault.")] = False,
) -> None:
    """Tell every problem of the file at once, each with its key and a hint."""
    from agent.commands.check import check as run_check

    _leave(run_check(config, connect))


@app.command()
def status(config: Config, json: Json = False) -> None:
    """Show readings, open alarms, replication lag, parts and their health. Exit code 3: something is wrong."""
    from agent.commands.state import status as run_status

    _leave(run_status(config, json))


@app.command()
def alarms(
    config: Config,
    all: Annotated[bool, typer.Option("--all", help="Also those that are normal again.")] = False,  # noqa: A002
    json: Json = False,
) -> None:
    """List alarms with their state, newest first."""
    from agent.commands.state import alarms as run_alarms

    _leave(run_alarms(config, all, json))


@app.command()
def ack(
    alarm: Annotated[str, typer.Argument(metavar="ALARM", help="The alarm's id.")],
    config: Config,
    by: Annotated[str, typer.Option("--by", metavar="CONTACT", help="Who takes it on.")],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What others should know.")] = "",
) -> None:
    """Acknowledge an alarm: its messages stop, and those who were told hear who has it."""
    from agent.commands.state import acknowledge

    _leave(acknowledge(config, alarm, by, note))


@app.command()
def shelve(
    alarm: Annotated[str, typer.Argument(metavar="ALARM", help="The alarm's id.")],
    config: Config,
    time: Annotated[
        timedelta, typer.Option("--for", metavar="DURATION", parser=_duration, help="How long: 500ms, 10s, 3m, 2h, 7d.")
    ],
    by: Annotated[str, typer.Option("--by", metavar="CONTACT", help="Who does it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")],
) -> None:
    """Keep an alarm quiet while somebody works on it (점검모드); it ends by itself."""
    from agent.commands.state import shelve as run_shelve

    _leave(run_shelve(config, alarm, time, by, reason))


@app.command("send-test")
def send_test(
    config: Config,
    contact: Annotated[str | None, typer.Option("--contact", metavar="ID", help="Only to this contact.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="ID", help="Only by this channel.")] = None,
) -> None:
    """Send a test message and show what came of it."""
    from agent.commands.state import send_test as run_test

    _leave(run_test(config, contact, channel))


@app.command()
def history(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A replicated file, as it is below its source.")],
    config: Config,
    json: Json = False,
) -> None:
    """Show the versions of one replicated file, newest first."""
    from agent.commands.archive import history as run_history

    _leave(run_history(path, config, json))


@app.command()
def restore(
    config: Config,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where to; empty or new.")],
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Only these; default: all.")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="As it was then: RFC 3339 or 2026-11-22 14:03:05. Default: newest."),
    ] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="ID", help="Only this source.")] = None,
) -> None:
    """Bring files back as they were at a time."""
    from agent.commands.archive import restore as run_restore

    _leave(run_restore(config, to, at, source, paths or []))


@app.command()
def verify(
    config: Config,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
) -> None:
    """Check every object and journal record of the vault against its hash. Exit code 3: something is damaged."""
    from agent.commands.archive import verify as run_verify

    _leave(run_verify(config, repair))


@app.command()
def profiles(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one.")] = None,
) -> None:
    """List the device profiles shipped, with their sources."""
    from agent.commands.devices import profiles as run_profiles

    _leave(run_profiles(name))


@app.command()
def simulate(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A shipped scenario's name, or a TOML file.")],
    listen: Annotated[str, typer.Option("--listen", metavar="ADDRESS", help="HOST:PORT of the first device.")],
) -> None:
    """Play simulated Modbus and serial devices through a disaster."""
    from agent.commands.devices import simulate as run_simulate

    _leave(run_simulate(scenario, listen))


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option("--for", metavar="SECONDS", help="End by itself.")] = None,
    folder: Annotated[Path | None, typer.Option("--folder", metavar="DIR", help="The documents' folder.")] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="What was measured, as JSON.")] = None,
) -> None:
    """Run the whole system on this machine, with a simulated disaster, until Ctrl-C."""
    from agent.demo import run as run_demo

    _leave(run_demo(seconds, folder, report))


def _end_when_asked() -> None:
    """Until the daemon's own handlers stand nothing is open: a stop then is simply the end."""

    def end(_number: int, _frame: object) -> None:
        os._exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def _leave(code: int) -> None:
    if code:
        raise typer.Exit(code)


def main() -> NoReturn:
    """Run the command line; every error is one line with its hint, never a traceback unless BONGSU_DEBUG is set."""
    try:
        app()
    except SystemExit as done:
        _flush(done.code if isinstance(done.code, int) else 1)
    except KeyboardInterrupt:
        _fail("interrupted", "", 1)
    except BrokenPipeError:
        _quiet_pipe()
    except Exception as error:
        if os.environ.get(_DEBUG):
            raise
        _explain(error)
    _flush(0)


def _explain(error: Exception) -> NoReturn:
    from agent.errors import hint_of, reason_of
    from config.errors import ConfigError, FieldError, SecretError

    if isinstance(error, ConfigError):
        for problem in error.problems:
            _write(f"bongsu: {problem}")
        _flush(2)
    if isinstance(error, SecretError | FieldError) or type(error).__name__ in _USAGE:
        _fail(reason_of(error), hint_of(error), 2)
    if hint_of(error) or isinstance(error, OSError) or type(error).__module__.startswith(_OURS):
        _fail(reason_of(error), hint_of(error), 1)
    _fail(f"internal error: {type(error).__name__}: {reason_of(error)}", f"{_DEBUG}=1 shows where", 1)


#: Errors of what was typed, from packages that are not loaded for their names alone.
_USAGE = ("TimeError", "ProfileError", "ScenarioError")
_OURS = ("agent.", "alerts.", "config.", "replicator.", "sensors.")


def _fail(text: str, hint: str, code: int) -> NoReturn:
    _write(f"bongsu: {text} ({hint})" if hint else f"bongsu: {text}")
    _flush(code)


def _write(text: str) -> None:
    line = text.encode("utf-8", "surrogateescape") + b"\n"
    try:
        sys.stderr.buffer.write(line)
        sys.stderr.flush()
    except OSError:
        return  # nobody reads it: the exit code says it


def _flush(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _quiet_pipe()
    sys.exit(code)


def _quiet_pipe() -> NoReturn:
    """Whoever read our output has what it wanted: end quietly, also when Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)
