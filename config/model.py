"""The sections of the configuration file, each with its defaults beside its fields."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from config.channels import Channel
from config.errors import FieldError
from config.fields import (
    BusUrl,
    Duration,
    FilePath,
    Flag,
    Identifier,
    LinkUrl,
    ListenAt,
    Number,
    Period,
    Section,
    Size,
    Text,
    VaultUrl,
    Whole,
)
from config.hours import Hours


class Severity(StrEnum):
    """The four levels of the national crisis scale, lowest first."""

    NOTICE = "notice"
    CAUTION = "caution"
    ALERT = "alert"
    CRITICAL = "critical"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise FieldError(f"{name!r} is not a time zone", 'write one like "Asia/Seoul"') from None
    return name


class Site(Section):
    """Who speaks: the label of every topic and the first word of every message."""

    id: Identifier
    name: Text = Field(min_length=1, max_length=40)
    timezone: Annotated[str, AfterValidator(_zone)] = "Asia/Seoul"
    language: Literal["ko", "en"] = "ko"
    state: FilePath

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


class Bus(Section):
    """The MQTT broker that carries the view to whoever listens."""

    url: BusUrl = "mqtt://127.0.0.1:1883"
    embedded: Flag = True
    username: Text | None = None
    password_file: FilePath | None = None
    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None


class Monitor(Section):
    """The daemon that sees and tells."""

    metrics: ListenAt | None = None
    console: ListenAt | None = None


class Link(Section):
    """One wire or socket that devices share."""

    id: Identifier
    url: LinkUrl
    timeout: Period = timedelta(milliseconds=300)


class Place(Section):
    """Where a device hangs, in metres from the room's corner."""

    zone: Text | None = None
    x: Number | None = None
    y: Number | None = None
    z: Number | None = None


class Device(Section):
    """One device on a link, described by a profile."""

    id: Identifier
    link: Identifier
    profile: str
    unit: Whole = Field(default=1, ge=0, le=255)
    every: Period = timedelta(seconds=10)
    place: Place | None = None


class Rises(Section):
    """A rise of `by` within a time."""

    by: Number = Field(gt=0)
    within: Period


class Alarm(Section):
    """One condition on one or more points."""

    id: Identifier
    point: str | None = None
    points: list[str] | None = None
    votes: Whole | None = Field(default=None, ge=1)
    above: Number | None = None
    below: Number | None = None
    is_: bool | Whole | str | None = Field(default=None, alias="is")
    rises: Rises | None = None
    deadband: Number = Field(default=0.0, ge=0)
    on_delay: Duration = timedelta(0)
    off_delay: Duration = timedelta(0)
    severity: Severity = Severity.ALERT
    text: Text = Field(default="", max_length=60)
    evacuate: Flag = False


class Contact(Section):
    """A person who is told."""

    id: Identifier
    name: Text = Field(min_length=1, max_length=40)
    phone: Text | None = None
    email: Text | None = None


class Step(Section):
    """One step of an escalation: after a time, these people by these channels (in order of preference)."""

    after: Duration = timedelta(0)
    contacts: list[Identifier] = Field(min_length=1)
    channels: list[Identifier] = Field(min_length=1)
    repeat: Period | None = None
    times: Whole = Field(default=1, ge=1, le=100)


class Route(Section):
    """Which severities go through which steps."""

    severity: list[Severity] = Field(min_length=1)
    steps: list[Step] = Field(min_length=1)


class Replicator(Section):
    """The daemon that carries documents out of the building."""

    vault: VaultUrl
    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None
    metrics: ListenAt | None = None
    bandwidth: Size = 0
    hours: list[Hours] = []


class Source(Section):
    """One watched tree."""

    id: Identifier
    path: FilePath
    watch: Literal["events", "scan"] = "events"
    scan_every: Period = timedelta(hours=1)
    exclude: list[str] = []


class Keep(Section):
    """How long versions stay."""

    all: Duration | None = None
    hourly: Duration | None = None
    daily: Duration | None = None
    monthly: Duration | None = None


class Vault(Section):
    """The store at the health centre."""

    listen: ListenAt = ""  # reading from the root alone needs none
    root: FilePath
    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None
    metrics: ListenAt | None = None
    keep: Keep = Keep()


class Witness(Section):
    """What speaks beside the vault when the server room cannot."""

    silence: Period = timedelta(seconds=10)
    contacts: list[Identifier] = []
    channels: list[Identifier] = []


class Config(Section):
    """The whole file. A daemon runs from the sections that are its own."""

    site: Site
    bus: Bus | None = None
    monitor: Monitor | None = None
    link: list[Link] = []
    device: list[Device] = []
    alarm: list[Alarm] = []
    contact: list[Contact] = []
    channel: list[Channel] = []
    route: list[Route] = []
    replicator: Replicator | None = None
    source: list[Source] = []
    vault: Vault | None = None
    witness: Witness | None = None
