"""The simulator plays what its scenario says, on real wires, and says what is wrong with a scenario."""

import asyncio
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from config.fields import parse_duration
from sensors.errors import ScenarioError
from sensors.probe import try_links
from sensors.simulator import load_scenario, parse_scenario, scenario_names, simulate
from sensors.simulator.server import check_sum
from tests.sensors.support import make_config, one_device, until
from tests.support.ports import free_port

replace = msgspec.structs.replace
STEP = '[[step]]\nat = "0s"\ndevice = "{}"\npoint = "{}"\nto = 40.0\n'


def seconds(text: str) -> float:
    """A duration of a scenario."""
    return parse_duration(text).total_seconds()


def patient(text: str) -> str:
    """The configuration with time-outs that a loaded machine does not reach."""
    return text.replace("url = ", 'timeout = "10s"\nurl = ')


@pytest.mark.parametrize("name", scenario_names())
def test_what_ships_can_be_played(name: str) -> None:
    """Each shipped scenario opens, and every device of it answers a stranger to it: our own links."""

    async def scenario() -> None:
        async with simulate(name) as simulated:
            trials = await try_links(make_config(patient(simulated.config_text())))
            assert trials
            assert [trial for trial in trials if not trial.ok] == []

    asyncio.run(scenario())


def test_the_disaster_comes_and_stays() -> None:
    """Heat, a leak and smoke come within twenty seconds by the script, after the cue, and stay."""
    disaster = load_scenario("disaster")
    ends = [seconds(step.at) + seconds(step.over) for step in disaster.step]
    assert max(ends) <= 20.0
    hasty = [replace(s, at=f"{seconds(s.at) / 10:.1f}s", over=f"{seconds(s.over) / 10:.1f}s") for s in disaster.step]

    async def scenario() -> None:
        async with simulate(replace(disaster, step=tuple(hasty)), begin=False) as simulated:
            assert simulated.devices["rack1"].values["temperature"] == 24.0
            simulated.begin()
            simulated.begin()
            await until(simulated.done.is_set, "the play is over")
            assert simulated.devices["rack1"].values["temperature"] == 58.0
            assert simulated.devices["floor"].values["leak"] is True
            assert simulated.devices["room"].values["smoke"] is True

    asyncio.run(scenario())


def test_a_ramp_goes_through_the_middle() -> None:
    """A ramp passes values between its ends, and ends exactly."""

    async def scenario() -> None:
        text = STEP.format("rack1", "temperature") + 'over = "1s"\n'
        base = one_device("tcp", start="temperature = 20.0")
        ramp = parse_scenario(_text(base.device[0].profile) + text)
        async with simulate(ramp) as simulated:
            values = simulated.devices["rack1"].values
            await until(lambda: 20.0 < values["temperature"] < 40.0, "a value between")
            await until(lambda: values["temperature"] == 40.0, "the end")

    asyncio.run(scenario())


def _text(profile: str) -> str:
    return (
        f'name = "x"\n[[link]]\nid = "wire"\n[[device]]\nid = "rack1"\nlink = "wire"\nprofile = "{profile}"\n'
        "start = { temperature = 20.0 }\n"
    )


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (_text("xy-md02") + STEP.format("rack9", "temperature"), "no device rack9"),
        (_text("xy-md02") + STEP.format("rack1", "heat"), "no point heat"),
        (_text("xy-md02") + '[[step]]\nat = "0s"\ndevice = "rack1"\n', "needs a point"),
        (_text("xy-md02") + '[[step]]\nat = "soon"\ndevice = "rack1"\nfault = "silent"\n', "soon"),
        (_text("xy-md02") + '[[step]]\nat = "0s"\ndevice = "rack1"\nfault = "sulky"\n', "sulky"),
        (_text("xy-md02").replace('link = "wire"', 'link = "wyre"'), "no link wyre"),
        ("name = ", "Invalid value"),
    ],
)
def test_a_wrong_scenario_is_refused(text: str, cause: str, tmp_path: Path) -> None:
    """Each fault of a scenario is refused with its cause and the file's name."""
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(file))
    assert cause in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_an_unknown_scenario_names_those_there_are() -> None:
    """A scenario that is not there is answered with those that are."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario("flood")
    assert "disaster" in caught.value.hint


def test_an_address_in_use_is_said() -> None:
    """Two simulators on one port: the second says so with a hint."""

    async def scenario() -> None:
        listen = f"127.0.0.1:{free_port()}"
        async with simulate(one_device("tcp"), listen):
            with pytest.raises(ScenarioError) as caught:
                async with simulate(one_device("tcp"), listen):
                    pass
            assert "another port" in caught.value.hint

    asyncio.run(scenario())


def test_an_address_that_is_none_is_said() -> None:
    """What is no address to listen on is refused with what to write instead."""

    async def scenario() -> None:
        with pytest.raises(ScenarioError, match="not an address") as caught:
            async with simulate(one_device("tcp"), "nonsense"):
                pass
        assert "HOST:PORT" in caught.value.hint

    asyncio.run(scenario())


def test_the_check_sum_is_the_specifications() -> None:
    """The check value of CRC-16/MODBUS over `123456789` is 0x4B37, low byte first on the wire."""
    assert check_sum(b"123456789") == bytes([0x37, 0x4B])


def test_the_command_plays_until_it_is_ended() -> None:
    """In a process of its own it prints a configuration that fits, and SIGTERM ends it cleanly."""
    code = "from sensors.simulator import main_run; main_run('calm', '127.0.0.1:0')"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=environment)
    assert process.stdout is not None
    lines: list[str] = []
    while "".join(lines).count("[[device]]") != 3 or lines[-1].strip() != 'every = "1s"':
        lines.append(process.stdout.readline())
        assert lines[-1], "it ended by itself"
    trials = asyncio.run(try_links(make_config(patient("".join(lines)))))
    assert all(trial.ok for trial in trials), trials
    assert len(tomllib.loads("".join(lines))["device"]) == 3
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
