"""What the acceptance tests share: an office for each module, and its logs when a test fails."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.acceptance.office import Office
from tests.support.modbus import ModbusServer
from tests.support.sink import Sink


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """An office of this module's own; nothing is started yet."""
    office = Office()
    yield office
    office.close()


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """An HTTP server that is not ours."""
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture(scope="module")
def rack(office: Office) -> Iterator[ModbusServer]:
    """A Modbus server that is not ours: register 1 is the temperature in tenths of a degree, 2 the humidity."""
    server = ModbusServer(office.ports["modbus"], registers={1: 251, 2: 480})
    yield server
    server.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Show what the daemons said beside a test that failed."""
    report = (yield).get_result()
    if report.failed:
        offices = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Office)]
        report.sections.extend(("daemons", office.logs()) for office in offices)
