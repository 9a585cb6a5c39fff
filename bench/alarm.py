"""A register of a Modbus device passes its limit: how long until the message is posted?"""

import random
import time

from bench.figures import Result, milliseconds, percentile, table
from tests.acceptance.office import Office
from tests.support.modbus import ModbusServer
from tests.support.sink import Posted, Sink
from tests.support.waiting import until

_COUNT = 20
_HOT, _COLD = 390, 250
#: As docs advise for a rack's thermometer.
_EVERY = "1s"


def run(_rounds: int) -> Result:
    """Raise and clear one alarm twenty times; the device is asked once a second, so the mean wait for that is 0.5 s."""
    office, sink = Office(), Sink()
    rack = ModbusServer(office.ports["modbus"], registers={1: _COLD, 2: 480})
    try:
        office.with_monitor(sink.url)
        office.room["devices"] = office.room["devices"].replace('every = "200ms"', f'every = "{_EVERY}"')
        office.start("monitor")
        until(lambda: office.metric("monitor", "bongsu_point_up", device="rack1", point="temperature"), "a reading")
        samples = [_once(rack, sink, number) for number in range(_COUNT)]
    finally:
        office.close()
        rack.close()
        sink.close()
    row = [f"every {_EVERY}", str(_COUNT), *(milliseconds(percentile(samples, share)) for share in (0.5, 0.99))]
    text = table(["register changed to message posted", "alarms", "p50", "worst"], [row])
    return Result(text, {"alarms": [samples]})


def _once(rack: ModbusServer, sink: Sink, number: int) -> float:
    time.sleep(random.uniform(0, 1))
    start = time.time()
    rack.set(1, _HOT)
    posted = until(lambda: _of(sink, "raised")[number], "the message arrives", pause=0.002)
    rack.set(1, _COLD)
    until(lambda: _of(sink, "cleared")[number], "the alarm is cleared")
    return posted.at - start


def _of(sink: Sink, event: str) -> list[Posted]:
    return [post for post in list(sink.posted) if (post.body["event"], post.body["alarm"]) == (event, "rack1-hot")]
