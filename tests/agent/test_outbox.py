"""What waits for the broker is bounded, and the newest wins."""

from agent.outbox import Outbox, Publication


def _drain(outbox: Outbox) -> list[tuple[str, bytes]]:
    taken = []
    while (item := outbox.take()) is not None:
        taken.append((item.topic, item.payload))
    return taken


def test_the_newest_of_a_topic_wins_and_order_is_kept() -> None:
    """An older payload of a topic is never published after a newer one."""
    outbox = Outbox()
    outbox.put(Publication("a", b"1", True))
    outbox.put(Publication("b", b"1", False))
    outbox.put(Publication("a", b"2", True))
    assert _drain(outbox) == [("b", b"1"), ("a", b"2")]


def test_what_could_not_be_published_comes_first_again_unless_there_is_newer() -> None:
    """A failed publication goes back to the front; an outdated one is forgotten."""
    outbox = Outbox()
    outbox.put(Publication("a", b"1", True))
    failed = outbox.take()
    assert failed is not None
    outbox.put(Publication("b", b"1", True))
    outbox.give_back(failed)
    assert _drain(outbox) == [("a", b"1"), ("b", b"1")]
    outbox.put(Publication("a", b"2", True))
    outbox.give_back(failed)
    assert _drain(outbox) == [("a", b"2")]


def test_events_are_dropped_and_counted_before_anything_retained() -> None:
    """Memory is bounded while the broker is away, and states outlive events."""
    outbox = Outbox(capacity=3)
    outbox.put(Publication("state", b"1", True))
    for number in range(5):
        outbox.put(Publication(f"event-{number}", b"", False))
    assert [topic for topic, _ in _drain(outbox)] == ["state", "event-3", "event-4"]
    assert outbox.dropped == 3


def test_a_new_broker_is_given_every_state_again() -> None:
    """Renewing brings each retained topic back with its newest payload."""
    outbox = Outbox()
    outbox.put(Publication("a", b"1", True))
    outbox.put(Publication("e", b"1", False))
    _drain(outbox)
    outbox.put(Publication("a", b"2", True))
    outbox.renew()
    assert _drain(outbox) == [("a", b"2")]
