"""POST of one JSON object; any 2xx is accepted."""

import asyncio
import ssl

import httpx
import msgspec

from alerts.channel import DeliveryError, Message, Reason, Receipt, payload
from config.channels import Webhook
from config.errors import SecretError
from config.secret import read_secret

# What is wrong with the message stays wrong. A wrong token, path or proxy is corrected, and the alarm waits for it.
_NEVER = (400, 413, 414, 415, 422, 431)
_DENIED = (401, 403)
_WORDS = 200  # characters of a receipt


class WebhookChannel:
    """One client, a connection for each message; redirects are not followed, proxies of the environment not used."""

    kind = "webhook"

    def __init__(self, settings: Webhook) -> None:
        self.id = settings.id
        self._settings = settings
        self._client: httpx.AsyncClient | None = None

    async def send(self, message: Message) -> Receipt:
        """POST the message."""
        body = msgspec.json.encode(payload(message))
        answer = await self._ask("POST", body)
        if not answer.is_success:
            raise self._refused(answer.status_code)
        return Receipt(text=f"{answer.status_code} {answer.reason_phrase}".strip()[:_WORDS])

    async def check(self) -> None:
        """Ask for the head: any answer shows that the way is open, except that our token is not accepted."""
        answer = await self._ask("HEAD", None)
        if answer.status_code in _DENIED:
            raise self._refused(answer.status_code)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _ask(self, method: str, body: bytes | None) -> httpx.Response:
        """Send one request and read only the head of its answer: nobody can hold us with an endless body."""
        try:
            client = self._connected()
            request = client.build_request(method, self._settings.url, content=body, headers=self._headers())
            async with asyncio.timeout(self._settings.timeout.total_seconds()):
                answer = await client.send(request, stream=True)
                await answer.aclose()
        except TimeoutError as error:
            raise self._error(Reason.TIMEOUT, "no answer in time", "is the receiver overloaded?") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict) as error:
            raise self._mapped(error) from error
        return answer

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=ssl.create_default_context(),
                timeout=self._settings.timeout.total_seconds(),
                # Messages are rare: a kept connection would mostly be one that the far side has just closed.
                limits=httpx.Limits(max_keepalive_connections=0),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json; charset=utf-8", "user-agent": "bongsu"}
        if self._settings.token_file is None:
            return headers
        try:
            token = read_secret(self._settings.token_file).reveal()
            token.encode("ascii")
        except SecretError as error:
            raise DeliveryError(Reason.CONFIG, str(error), error.hint) from None
        except UnicodeEncodeError:
            text = f"read secret {self._settings.token_file}: it has characters that no header carries"
            raise DeliveryError(Reason.CONFIG, text, "write the token again") from None
        return {**headers, "authorization": f"Bearer {token}"}

    def _refused(self, status: int) -> DeliveryError:
        if httpx.codes.is_redirect(status):
            hint = "write the address that it redirects to into `url`"
            return self._error(Reason.REJECTED, f"it redirects ({status})", hint)
        if httpx.codes.is_client_error(status):
            hint = "look at the token" if status in _DENIED else "look at `url` and at the receiver's log"
            return self._error(Reason.REJECTED, f"answered {status}", hint, permanent=status in _NEVER)
        return self._error(Reason.UNAVAILABLE, f"answered {status}", "look at the receiver's log")

    def _mapped(self, error: Exception) -> DeliveryError:
        reason, hint, permanent = classify(error)
        return self._error(reason, str(error) or type(error).__name__, hint, permanent=permanent)

    def _error(self, reason: Reason, cause: str, hint: str, *, permanent: bool = False) -> DeliveryError:
        return DeliveryError(reason, f"post to {self.id}: {cause}", hint, permanent=permanent)


def classify(error: Exception) -> tuple[Reason, str, bool]:
    """Return an httpx error's reason, hint, and whether it is permanent."""
    match error:
        case httpx.TimeoutException():
            return Reason.TIMEOUT, "is the receiver overloaded, or a firewall between?", False
        case httpx.ConnectError() if _of_tls(error):
            return Reason.TLS, "let this host trust the receiver's certificate (system CA store)", False
        case httpx.ConnectError():
            return Reason.REFUSED, "is the receiver running, its name and port right?", False
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | httpx.LocalProtocolError():
            return Reason.CONFIG, "correct `url`: http:// or https:// and a host", True
        case httpx.TransportError() | httpx.HTTPStatusError() | httpx.DecodingError():
            return Reason.UNAVAILABLE, "look at the receiver's log", False
        case _:
            return Reason.INTERNAL, "this is a fault of bongsu: report it with the log", False


def _of_tls(error: BaseException) -> bool:
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLError):
            return True
        found = found.__cause__ or found.__context__
    return False
