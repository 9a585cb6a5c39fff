"""What the tests of channels share."""

from typing import Any

from alerts.channel import Channel, DeliveryError
from alerts.channels import build
from config.channels import Webhook
from tests.alerts.support import Receiver, a_message, run


def webhook(receiver: Receiver, timeout: float = 30, **facts: Any) -> Channel:
    """Return a channel to a receiver."""
    return build(
        Webhook.model_validate({"kind": "webhook", "id": "c", "url": receiver.url, "timeout": f"{timeout}s", **facts})
    )


def failure(channel: Channel, method: str = "send") -> DeliveryError:
    """Return what a channel raises."""
    found: list[DeliveryError] = []

    async def scenario() -> None:
        try:
            await (channel.check() if method == "check" else channel.send(a_message()))
        except DeliveryError as error:
            found.append(error)
        finally:
            await channel.close()

    run(scenario)
    assert found, "it did not fail"
    assert found[0].hint
    assert str(found[0])[0].islower()
    return found[0]
