"""The webhook and a receiver that misbehaves in every way."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from alerts.channels import build
from alerts.channels.webhook import classify
from alerts.errors import Reason
from config.channels import Webhook
from tests.alerts.channels import failure, webhook
from tests.alerts.support import a_message, eventually, receiving, refusing, run


@pytest.mark.parametrize(
    ("status", "reason", "permanent"),
    [
        (400, Reason.REJECTED, True),
        (401, Reason.REJECTED, False),
        (403, Reason.REJECTED, False),
        (404, Reason.REJECTED, False),
        (413, Reason.REJECTED, True),
        (408, Reason.REJECTED, False),
        (425, Reason.REJECTED, False),
        (429, Reason.REJECTED, False),
        (500, Reason.UNAVAILABLE, False),
        (503, Reason.UNAVAILABLE, False),
        (301, Reason.REJECTED, False),
        (307, Reason.REJECTED, False),
    ],
)
def test_an_answer_other_than_2xx_is_afailure(status: int, reason: Reason, permanent: bool) -> None:
    """Each answer has its reason; only what is wrong with the message itself is permanent."""
    with receiving() as receiver:
        receiver.status = status
        error = failure(webhook(receiver))
    assert (error.reason, error.permanent) == (reason, permanent)
    assert str(status) in str(error)


def test_a_redirect_is_not_followed() -> None:
    """The message goes to the address of the configuration and to no other."""
    with receiving() as receiver:
        receiver.status = 302
        failure(webhook(receiver))
        assert [path for _, path, _ in receiver.requests] == ["/hook"]


def test_a_slow_receiver_is_a_timeout() -> None:
    """No answer in time: not permanent, and the call ends by itself."""
    with receiving() as receiver:
        receiver.gate.clear()
        error = failure(webhook(receiver, timeout=0.3))
    assert (error.reason, error.permanent) == (Reason.TIMEOUT, False)


@pytest.mark.parametrize("fault", ["drop", "garbage"])
def test_a_receiver_that_answers_nonsense_is_unavailable(fault: str) -> None:
    """A connection that breaks, or an answer that is no HTTP, can be tried again."""
    with receiving() as receiver:
        setattr(receiver, fault, True)
        error = failure(webhook(receiver))
    assert (error.reason, error.permanent) == (Reason.UNAVAILABLE, False)


def test_an_endless_answer_does_not_hold_the_channel() -> None:
    """Only the head of the answer is read: 2xx is accepted although the body never ends."""
    with receiving() as receiver:
        receiver.endless = True
        channel = webhook(receiver)

        async def scenario() -> None:
            assert (await channel.send(a_message())).text.startswith("202")
            await channel.close()

        run(scenario)


def test_a_cancelled_send_leaves_the_channel_usable() -> None:
    """A send that was cancelled while it hung does not stand in the way of the next."""
    with receiving() as receiver:
        receiver.gate.clear()
        channel = webhook(receiver)

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
        error = failure(build(Webhook(kind="webhook", id="c", url=url)), method)
    assert (error.reason, error.permanent) == (Reason.REFUSED, False)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense", "http://", "http://[::1", ""])
def test_an_address_that_is_none_is_a_matter_of_configuration(url: str) -> None:
    """No try can work before the address is corrected: permanent."""
    unchecked = Webhook.model_construct(kind="webhook", id="c", url=url)  # the configuration refuses most of these
    error = failure(build(unchecked))
    assert (error.reason, error.permanent) == (Reason.CONFIG, True)


def test_plain_http_behind_https_is_a_matter_of_tls() -> None:
    """A far side that speaks no TLS where the address says https has the reason `tls`."""
    with receiving() as receiver:
        url = receiver.url.replace("http:", "https:")
        error = failure(build(Webhook(kind="webhook", id="c", url=url)))
    assert error.reason is Reason.TLS


def test_the_token_is_sent_and_never_told(tmp_path: Path) -> None:
    """The token goes as a bearer header, and is in no text of an error."""
    (tmp_path / "token").write_text("s3cret-t0ken\n")
    with receiving() as receiver:
        receiver.status = 401
        error = failure(webhook(receiver, token_file=str(tmp_path / "token")))
        assert receiver.requests[0][2]["authorization"] == "Bearer s3cret-t0ken"
    assert "s3cret" not in f"{error} {error.hint} {error!r}"


@pytest.mark.parametrize("content", [None, "", "토큰"])
def test_a_token_that_cannot_be_used_is_a_matter_of_configuration(tmp_path: Path, content: str | None) -> None:
    """A token file that is missing, empty or beyond ASCII has the reason `config`; it works once it is corrected."""
    if content is not None:
        (tmp_path / "token").write_text(content)
    with receiving() as receiver:
        error = failure(webhook(receiver, token_file=str(tmp_path / "token")))
    assert (error.reason, error.permanent) == (Reason.CONFIG, False)


def test_a_check_with_a_wrong_token_fails() -> None:
    """A far side that denies us is told by the check already."""
    with receiving() as receiver:
        receiver.status = 403
        assert failure(webhook(receiver), "check").reason is Reason.REJECTED


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
