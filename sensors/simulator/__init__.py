"""Simulated Modbus devices on real sockets and pseudo terminals, for the demo, for trying out and for tests."""

from sensors.simulator.play import Simulated, main_run, run, simulate
from sensors.simulator.scenario import Fault, Scenario, load_scenario, parse_scenario, scenario_names

__all__ = [
    "Fault",
    "Scenario",
    "Simulated",
    "load_scenario",
    "main_run",
    "parse_scenario",
    "run",
    "scenario_names",
    "simulate",
]
