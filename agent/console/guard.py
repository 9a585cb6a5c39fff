"""Who may ask the console: this origin only.

A page of some other site that a browser of the office shows can send requests here. Two things stop it: a host name
that is not ours is refused (a name that was made to point here), and a change is refused unless the browser says that
it comes from our own page.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.requests import Request

from config.address import Listen


def host_allowed(request: Request, listen: Listen) -> bool:
    """Tell whether the request's Host is this console: an address, `localhost`, our name, or the configured host."""
    host = _host_of(request.headers.get("host", ""))
    return host in {"localhost", listen.host.lower(), socket.gethostname().lower()} or _is_address(host)


def same_origin(request: Request) -> bool:
    """Tell whether a change comes from our own page; without a word of the browser it does not."""
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    if origin is not None:
        parts = urlsplit(origin)
        return parts.scheme in {"http", "https"} and parts.netloc == host
    return request.headers.get("sec-fetch-site") == "same-origin"


def _host_of(header: str) -> str:
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
