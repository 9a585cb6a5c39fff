"""The settings of each channel kind."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from config.fields import FilePath, Identifier, Period, Section, WebUrl

#: Kinds that the contract names and that this version cannot send by yet.
NOT_AVAILABLE = ("solapi", "nhn", "sens", "aligo", "bizppurio", "sms-table", "modem", "email", "apprise")


class Webhook(Section):
    """POST of one JSON object; any 2xx is accepted."""

    kind: Literal["webhook"]
    id: Identifier
    url: WebUrl
    timeout: Period = timedelta(seconds=5)
    token_file: FilePath | None = None


class File(Section):
    """One JSON object a line, appended and flushed."""

    kind: Literal["file"]
    id: Identifier
    path: FilePath


Channel = Annotated[Webhook | File, Field(discriminator="kind")]
