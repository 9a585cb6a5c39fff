"""The contract of a channel, over every kind there is."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.channel import Channel, DeliveryError, payload
from alerts.channels import build
from alerts.channels.webhook import classify
from alerts.errors import Reason
from config.channels import File, Webhook
from config.model import Config
from tests.alerts.support import Receiver, a_message, eventually, lines, receiving, refusing, run, site

Sent = Callable[[], list[dict[str, Any]]]
KEYS = ["v", "id", "event", "alarm", "state", "severity", "site", "text", "contact", "at", "attempt"]


@pytest.fixture(params=["webhook", "file"])
def healthy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Channel, Sent]]:
    """A channel that works, and what it has delivered."""
    with ExitStack() as stack:
        if request.param == "file":
            path = tmp_path / "out.jsonl"
            yield build(File(kind="file", id="c", path=path)), lambda: lines(path)
        else:
            receiver = stack.enter_context(receiving())
            yield _webhook(receiver), lambda: receiver.got


def _failure(channel: Channel, method: str = "send") -> DeliveryError:
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


def test_a_message_arrives_as_the_contract_says(healthy: tuple[Channel, Sent]) -> None:
    """Exactly the promised keys in their order, with the text as it was given."""
    channel, sent = healthy

    async def scenario() -> None:
        receipt = await channel.send(a_message())
        assert receipt.text
        await channel.close()

    run(scenario)
    assert sent() == [payload(a_message())]
    assert list(sent()[0]) == KEYS
    assert sent()[0]["v"] == 1


def test_many_at_once_and_doubles_all_arrive(healthy: tuple[Channel, Sent]) -> None:
    """Fifty messages at once, one of them twice, arrive whole, each with its id."""
    channel, sent = healthy

    async def scenario() -> None:
        await asyncio.gather(*(channel.send(a_message(id=f"e.{n % 49}", text="가" * 500)) for n in range(50)))
        await channel.close()

    run(scenario)
    assert sorted(each["id"] for each in sent()) == sorted(f"e.{n % 49}" for n in range(50))


def test_check_delivers_nothing(healthy: tuple[Channel, Sent]) -> None:
    """A check of a working channel says so and sends no message."""
    channel, sent = healthy

    async def scenario() -> None:
        await channel.check()
        await channel.close()

    run(scenario)
    assert sent() == []


def test_close_may_be_called_twice_and_a_closed_channel_used_again(healthy: tuple[Channel, Sent]) -> None:
    """Closing twice is harmless; the next send opens what it needs."""
    channel, sent = healthy

    async def scenario() -> None:
        await channel.close()
        await channel.send(a_message())
        await channel.close()
        await channel.close()
        await channel.send(a_message(id="e2.kim"))
        await channel.close()

    run(scenario)
    assert len(sent()) == 2


def _webhook(receiver: Receiver, timeout: float = 30, **facts: Any) -> Channel:
    return build(
        Webhook.model_validate({"kind": "webhook", "id": "c", "url": receiver.url, "timeout": f"{timeout}s", **facts})
    )


@pytest.mark.parametrize(
    ("status", "reason", "permanent"),
    [
        (400, Reason.REJECTED, True),
        (401, Reason.REJECTED, True),
        (404, Reason.REJECTED, True),
        (408, Reason.REJECTED, False),
        (425, Reason.REJECTED, False),
        (429, Reason.REJECTED, False),
        (500, Reason.UNAVAILABLE, False),
        (503, Reason.UNAVAILABLE, False),
        (301, Reason.REJECTED, True),
        (307, Reason.REJECTED, True),
    ],
)
def test_an_answer_other_than_2xx_is_a_failure(status: int, reason: Reason, permanent: bool) -> None:
    """Each answer has its reason; only client errors that ask for no other try are permanent."""
    with receiving() as receiver:
        receiver.status = status
        error = _failure(_webhook(receiver))
    assert (error.reason, error.permanent) == (reason, permanent)
    assert str(status) in str(error)


def test_a_redirect_is_not_followed() -> None:
    """The message goes to the address of the configuration and to no other."""
    with receiving() as receiver:
        receiver.status = 302
        _failure(_webhook(receiver))
        assert [path for _, path, _ in receiver.requests] == ["/hook"]


def test_a_slow_receiver_is_a_timeout() -> None:
    """No answer in time: not permanent, and the call ends by itself."""
    with receiving() as receiver:
        receiver.gate.clear()
        error = _failure(_webhook(receiver, timeout=0.3))
    assert (error.reason, error.permanent) == (Reason.TIMEOUT, False)


@pytest.mark.parametrize("fault", ["drop", "garbage"])
def test_a_receiver_that_answers_nonsense_is_unavailable(fault: str) -> None:
    """A connection that breaks, or an answer that is no HTTP, can be tried again."""
    with receiving() as receiver:
        setattr(receiver, fault, True)
        error = _failure(_webhook(receiver))
    assert (error.reason, error.permanent) == (Reason.UNAVAILABLE, False)


def test_an_endless_answer_does_not_hold_the_channel() -> None:
    """Only the head of the answer is read: 2xx is accepted although the body never ends."""
    with receiving() as receiver:
        receiver.endless = True
        channel = _webhook(receiver)

        async def scenario() -> None:
            assert (await channel.send(a_message())).text.startswith("202")
            await channel.close()

        run(scenario)


def test_a_cancelled_send_leaves_the_channel_usable() -> None:
    """A send that was cancelled while it hung does not stand in the way of the next."""
    with receiving() as receiver:
        receiver.gate.clear()
        channel = _webhook(receiver)

        async def scenario() -> None:
            task = asyncio.create_task(channel.send(a_message()))
            await eventually(lambda: receiver.requests, "the request")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            receiver.gate.set()
            await channel.send(a_message(id="e2.kim"))
            await channel.close()

        run(scenario)
        assert "e2.kim" in receiver.ids()


@pytest.mark.parametrize("method", ["send", "check"])
def test_nobody_listening_is_refused(method: str) -> None:
    """A closed port is refused at once, for a message and for a check."""
    with refusing() as url:
        error = _failure(build(Webhook(kind="webhook", id="c", url=url)), method)
    assert (error.reason, error.permanent) == (Reason.REFUSED, False)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense", "http://", "http://[::1", ""])
def test_an_address_that_is_none_is_a_matter_of_configuration(url: str) -> None:
    """No try can work before the address is corrected: permanent."""
    unchecked = Webhook.model_construct(kind="webhook", id="c", url=url)  # the configuration refuses most of these
    error = _failure(build(unchecked))
    assert (error.reason, error.permanent) == (Reason.CONFIG, True)


def test_plain_http_behind_https_is_a_matter_of_tls() -> None:
    """A far side that speaks no TLS where the address says https has the reason `tls`."""
    with receiving() as receiver:
        url = receiver.url.replace("http:", "https:")
        error = _failure(build(Webhook(kind="webhook", id="c", url=url)))
    assert error.reason is Reason.TLS


def test_the_token_is_sent_and_never_told(tmp_path: Path) -> None:
    """The token goes as a bearer header, and is in no text of an error."""
    (tmp_path / "token").write_text("s3cret-t0ken\n")
    with receiving() as receiver:
        receiver.status = 401
        error = _failure(_webhook(receiver, token_file=str(tmp_path / "token")))
        assert receiver.requests[0][2]["authorization"] == "Bearer s3cret-t0ken"
    assert "s3cret" not in f"{error} {error.hint} {error!r}"


@pytest.mark.parametrize("content", [None, "", "토큰"])
def test_a_token_that_cannot_be_used_is_a_matter_of_configuration(tmp_path: Path, content: str | None) -> None:
    """A token file that is missing, empty or beyond ASCII has the reason `config`; it works once it is corrected."""
    if content is not None:
        (tmp_path / "token").write_text(content)
    with receiving() as receiver:
        error = _failure(_webhook(receiver, token_file=str(tmp_path / "token")))
    assert (error.reason, error.permanent) == (Reason.CONFIG, False)


def test_a_check_with_a_wrong_token_fails() -> None:
    """A far side that denies us is told by the check already."""
    with receiving() as receiver:
        receiver.status = 403
        assert _failure(_webhook(receiver), "check").reason is Reason.REJECTED


def _errors(base: type[Exception]) -> Iterator[type[Exception]]:
    yield base
    for each in base.__subclasses__():
        yield from _errors(each)


_KINDS = {*_errors(httpx.HTTPError), *_errors(httpx.InvalidURL)}


@pytest.mark.parametrize("kind", sorted(_KINDS, key=str))
def test_every_error_of_httpx_has_a_reason_of_its_own(kind: type[Exception]) -> None:
    """No concrete error of the library falls through to `internal`, except those that our use cannot meet."""
    abstract = {httpx.HTTPError, httpx.RequestError}
    never = {httpx.TooManyRedirects}  # redirects are not followed
    error = kind.__new__(kind)
    assert (classify(error)[0] is Reason.INTERNAL) == (kind in abstract | never)


def test_a_full_disk_is_told() -> None:
    """Writing to a device without room is a failure of the disk that may pass."""
    error = _failure(build(File(kind="file", id="c", path=Path("/dev/full"))))
    assert (error.reason, error.permanent) == (Reason.DISK, False)
    assert "no space" in str(error)


@contextmanager
def _nobody() -> Iterator[None]:
    """Be a user without rights for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("method", ["send", "check"])
def test_no_permission_is_told(tmp_path: Path, method: str) -> None:
    """A file that this user may not write is a failure of the disk, for a message and for a check."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"")
    path.chmod(0o400)
    with _nobody():
        error = _failure(build(File(kind="file", id="c", path=path)), method)
    assert error.reason is Reason.DISK
    assert "permission denied" in str(error)


@pytest.mark.parametrize("path", ["", "missing/out.jsonl", "file/out.jsonl"])
def test_a_path_that_is_no_place_for_a_file_is_told(tmp_path: Path, path: str) -> None:
    """A folder, a missing folder and a file in the place of a folder are failures of the disk."""
    (tmp_path / "file").write_bytes(b"")
    assert _failure(build(File(kind="file", id="c", path=tmp_path / path))).reason is Reason.DISK


def test_a_torn_last_line_spoils_no_other(tmp_path: Path) -> None:
    """After a line that a crash tore off the next message starts a line of its own."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(b'{"v":1,"id":"torn')
    channel = build(File(kind="file", id="c", path=path))

    async def scenario() -> None:
        await channel.send(a_message())
        await channel.send(a_message(id="e2.kim"))
        await channel.close()

    run(scenario)
    assert [each["id"] for each in lines(path)] == ["e1.kim", "e2.kim"]
    assert path.read_bytes().count(b"\n") == 3


def test_a_file_that_was_rotated_away_is_made_anew(tmp_path: Path) -> None:
    """After a log rotation the next message goes to a new file under the same name."""
    path = tmp_path / "out.jsonl"
    channel = build(File(kind="file", id="c", path=path))

    async def scenario() -> None:
        await channel.send(a_message())
        path.rename(tmp_path / "out.jsonl.1")
        await channel.send(a_message(id="e2.kim"))
        await channel.close()

    run(scenario)
    assert [each["id"] for each in lines(path)] == ["e2.kim"]


def test_every_configured_kind_can_be_built(tmp_path: Path) -> None:
    """What the configuration accepts as a channel, `build` makes, with its id and kind."""
    config: Config = site(tmp_path)
    for settings in config.channel:
        channel = build(settings)
        assert (channel.id, channel.kind) == (settings.id, settings.kind)
