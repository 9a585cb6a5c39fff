"""One file per kind of channel. To add one: copy a file, add it to `build`, run the contract suite over it."""

from typing import assert_never

from alerts.channel import Channel
from alerts.channels.file import FileChannel
from alerts.channels.webhook import WebhookChannel
from config import channels as settings


def build(settings_: settings.Channel) -> Channel:
    """Make a channel from its settings. Nothing is opened or read before the first `send` or `check`."""
    match settings_:
        case settings.Webhook():
            return WebhookChannel(settings_)
        case settings.File():
            return FileChannel(settings_)
        case _:
            assert_never(settings_)
