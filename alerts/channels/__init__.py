"""One file per kind of channel. To add one: copy a file, add it to `build`, run the contract suite over it."""

from typing import assert_never

from alerts.channel import Channel
from alerts.channels.file import FileChannel
from alerts.channels.webhook import WebhookChannel
from config import channels as settings
from config.errors import SecretError
from config.secret import read_secret


def build(settings_: settings.Channel) -> Channel:
    """Make a channel from its settings. Nothing is opened or read before the first `send` or `check`."""
    match settings_:
        case settings.Webhook():
            return WebhookChannel(settings_)
        case settings.File():
            return FileChannel(settings_)
        case _:
            assert_never(settings_)


def unusable(settings_: settings.Channel) -> SecretError | None:
    """Return why a channel cannot send before anything is sent: its secret's file cannot be read."""
    try:
        if isinstance(settings_, settings.Webhook) and settings_.token_file is not None:
            read_secret(settings_.token_file)
    except SecretError as error:
        return error
    return None
