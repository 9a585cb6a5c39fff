"""A clean stop carries what was written a moment before."""

import pytest

from tests.acceptance.office import Office


@pytest.mark.parametrize("count", [1, 300])
def test_files_written_before_the_stop_are_safe(count: int) -> None:
    """Files written just before SIGTERM are in a restore made after both daemons have ended."""
    office = Office()
    try:
        office.with_replicator()
        office.start("vault")
        office.start("replicator")
        for number in range(count):
            (office.docs / f"last{number}.txt").write_text(f"last words {number}")
        assert office.stop("replicator") == 0
        assert office.stop("vault") == 0
        found = {path.name for path in office.restore("back", file="vault").iterdir()}
        assert found == {f"last{number}.txt" for number in range(count)}
    finally:
        office.close()


def test_a_stop_right_after_the_start(office: Office) -> None:
    """A SIGTERM as soon as the daemon answers, with the vault still to be reached and the tree still to be seen."""
    office.with_replicator()
    for number in range(50):
        (office.docs / f"early{number}.txt").write_text("early")
    office.start("vault")
    office.start("replicator")
    assert office.stop("replicator") == 0
    assert len(list(office.restore("back").iterdir())) == 50


def test_the_monitor_stops_with_0(office: Office) -> None:
    """SIGTERM is a way to end, not a failure, even when the device and the receiver of messages are not there."""
    office.with_monitor("http://127.0.0.1:9/hook")
    office.start("monitor")
    assert office.stop("monitor") == 0
