"""What every request passes through: headers, origin, body size, and an answer before an unread body.

Plain ASGI middleware, so that a body of gigabytes flows past without being looked at.
"""

import asyncio
import hashlib
import hmac
import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import NotAllowed

log = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
TRANSPORT_SECURITY = "max-age=31536000"  # s; sent only where the public address is https

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

FORM_BYTES = 256 * 1024  # ordinary forms and JSON bodies
HOST_BYTES = 64 * 2**20  # a host's reports: a log and a list of cases
STREAMED = frozenset({("POST", "/submit"), ("POST", "/api/v1/submissions")})  # have limits of their own

LINGER_S = 2.0  # a browser that is still sending reads our answer only if we do not hang up on it
LINGER_BYTES = 8 * 2**20


class SecurityHeaders:
    """Adds to every response what a browser must know; a response's own header of that name stays."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        self.headers = HEADERS | ({"strict-transport-security": TRANSPORT_SECURITY} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


class PlainAddress:
    """Answers 404 to an address with a NUL in it: nothing of ours is called so, and PostgreSQL takes none."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] == "http" and "\0" in scope["path"]:
            scope = {**scope, "path": "/no-such-address", "raw_path": b"/no-such-address"}
        await self.app(scope, receive, send)


class BodyLimit:
    """Refuses bodies that no route of ours reads; streamed routes decide for themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.forms = RequestBodyLimitMiddleware(app, FORM_BYTES)
        self.hosts = RequestBodyLimitMiddleware(app, HOST_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, counted."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) in STREAMED:
            await self.app(scope, receive, send)
        elif scope["path"].startswith("/api/host/"):
            await self.hosts(scope, receive, send)
        else:
            await self.forms(scope, receive, send)


class EarlyAnswer:
    """Closes the connection after a response that came before its request was read to the end.

    The whole response goes out at once. What the client is still sending is then thrown away for a
    moment, because a reset connection would make it lose the answer; then the connection is closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, watching how far the body was read."""
        if scope["type"] != "http" or not has_body(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        unread = True

        async def watched_receive() -> Message:
            nonlocal unread
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                unread = False
            return message

        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.start" and unread:
                MutableHeaders(scope=message)["connection"] = "close"
            if message["type"] == "http.response.body" and unread and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await discard(watched_receive)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self.app(scope, watched_receive, watched_send)


def has_body(headers: Headers) -> bool:
    """The request announces a body."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def discard(receive: Receive) -> None:
    """Read and forget until the body, the patience or the allowance ends."""
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_S):
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return


def refuse_foreign_origin(request: Request, public_url: str) -> None:
    """Refuse a request that a page of another site made a browser send.

    Browsers say where an unsafe request comes from by `Sec-Fetch-Site` (over https and on localhost) and
    by `Origin`; neither can be set by a script. A request that says neither did not come from a form here.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site in {"same-origin", "none"}:
            return
        raise NotAllowed("This request came from another site and was not carried out.", "E-ORIGIN")
    origin = request.headers.get("origin") or origin_of(request.headers.get("referer", ""))
    own = {origin_of(public_url), f"{request.url.scheme}://{request.headers.get('host', '')}"}
    if origin not in own:
        raise NotAllowed(
            f"This request does not come from a page of this site (origin {origin or 'not given'!r}). "
            "Open the page again and repeat what you did; programs use an API token instead.",
            "E-ORIGIN",
        )


def origin_of(url: str) -> str:
    """Scheme, host and port of an address; empty where it has none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def form_token(secret: str, session: str) -> str:
    """What the forms of one session carry: nobody without the cookie and the secret can know it."""
    return hmac.new(secret.encode(), f"form:{session}".encode(), hashlib.sha256).hexdigest()


def check_form_token(given: str, secret: str, session: str) -> None:
    """Refuse a form that another session was given."""
    if not hmac.compare_digest(given.encode(), form_token(secret, session).encode()):
        raise NotAllowed(
            "This form belongs to an earlier session. Go back, reload the page and send it again.", "E-FORM"
        )
