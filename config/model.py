"""The sections of the configuration file, each with its defaults beside its fields."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from config.channels import Channel
from config.fields import Duration, FilePath, Identifier, Period, Section, Size


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
        raise ValueError(f'{name!r} is not a time zone: write one like "Asia/Seoul"') from None
    return name


class Site(Section):
    """Who speaks: the label of every topic and the first word of every message."""

    id: Identifier
    name: str = Field(min_length=1, max_length=40)
    timezone: Annotated[str, AfterValidator(_zone)] = "Asia/Seoul"
    language: Literal["ko", "en"] = "ko"
    state: FilePath

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


class Bus(Section):
    """The MQTT broker that carries the view to whoever listens."""

    url: str = "mqtt://127.0.0.1:1883"
    embedded: bool = True
    username: str | None = None
    password_file: FilePath | None = None
    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None


class Monitor(Section):
    """The daemon that sees and tells."""

    metrics: str | None = None
    console: str | None = None


class Link(Section):
    """One wire or socket that devices share."""

    id: Identifier
    url: str
    timeout: Period = timedelta(milliseconds=300)


class Place(Section):
    """Where a device hangs, in metres from the room's corner."""

    zone: str | None = None
    x: float | None = None
    y: float | None = None
    z: float | None = None


class Device(Section):
    """One device on a link, described by a profile."""

    id: Identifier
    link: Identifier
    profile: str
    unit: int = Field(default=1, ge=0, le=255)
    every: Period = timedelta(seconds=10)
    place: Place | None = None


class Rises(Section):
    """A rise of `by` within a time."""

    by: float = Field(gt=0)
    within: Period


class Alarm(Section):
    """One condition on one or more points."""

    id: Identifier
    point: str | None = None
    points: list[str] | None = None
    votes: int | None = Field(default=None, ge=1)
    above: float | None = None
    below: float | None = None
    is_: bool | int | str | None = Field(default=None, alias="is")
    rises: Rises | None = None
    deadband: float = Field(default=0.0, ge=0)
    on_delay: Duration = timedelta(0)
    off_delay: Duration = timedelta(0)
    severity: Severity = Severity.ALERT
    text: str = Field(default="", max_length=60)
    evacuate: bool = False


class Contact(Section):
    """A person who is told."""

    id: Identifier
    name: str = Field(min_length=1)
    phone: str | None = None
    email: str | None = None


class Step(Section):
    """One step of an escalation: after a time, these people by these channels (in order of preference)."""

    after: Duration = timedelta(0)
    contacts: list[Identifier] = Field(min_length=1)
    channels: list[Identifier] = Field(min_length=1)
    repeat: Period | None = None
    times: int = Field(default=1, ge=1, le=100)


class Route(Section):
    """Which severities go through which steps."""

    severity: list[Severity] = Field(min_length=1)
    steps: list[Step] = Field(min_length=1)


class Replicator(Section):
    """The daemon that carries documents out of the building."""

    vault: str
    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None
    metrics: str | None = None
    bandwidth: Size = 0


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

    listen: str
    root: FilePath
    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None
    metrics: str | None = None
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
