"""A histogram that is counted without locks."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from replicator.durations import BOUNDS, Durations

_NAME, _TEXT = "waited_seconds", "How long"


@given(st.lists(st.floats(0, 10_000) | st.sampled_from(BOUNDS[:-1])))
def test_says_what_prometheus_would(seconds: list[float]) -> None:
    """Buckets, bounds, sum and count are those of prometheus_client's own histogram."""
    ours, theirs = Durations(), Histogram(_NAME, _TEXT, buckets=BOUNDS, registry=CollectorRegistry())
    for each in seconds:
        ours.add(each)
        theirs.observe(each)
    expected = [sample[:3] for sample in next(iter(theirs.collect())).samples if not sample.name.endswith("_created")]
    assert [sample[:3] for sample in ours.family(_NAME, _TEXT).samples] == expected
