"""Who may ask a server for anything: by the name it was called, by origin, by token."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from magenet.errors import UsageError
from magenet.serving.limits import Limits

COOKIE = "magenet_token"

SHORTEST_TOKEN = 16
"""Characters of a token that a person chooses (our choice)."""

HEADERS = {
    # The page runs its own scripts and no other, is in no frame, and loads nothing from elsewhere.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",  # photographs of patients must not stay in the browser's cache
}
"""Headers of every response."""


class Refusal(NamedTuple):
    """Why a request is not answered.

    Attributes:
        code: Status of HTTP.
        reason: For a person.
    """

    code: int
    reason: str


@dataclass(frozen=True)
class Access:
    """Rules of a server.

    Attributes:
        names: Host names by which it may be called besides `localhost` and addresses. Another name
            may be that of a page elsewhere which its owner lets point here (DNS rebinding).
        token: What a client must show; None where only this machine can connect.
    """

    names: frozenset[str] = frozenset()
    token: str | None = None

    def refusal(self, scope: Scope) -> Refusal | None:
        """Return why a request is refused; None if it is not."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_own_name(host):
            return Refusal(
                421,
                f"This server is not called {_short(host)}: use the address that it printed, or "
                "start it with --name.",
            )
        method, mode = scope["method"], headers.get("sec-fetch-mode")
        is_reading = method in ("GET", "HEAD")
        origin = headers.get("origin")
        foreign = origin is not None and origin.partition("://")[2].lower() != host.lower()
        site = headers.get("sec-fetch-site", "none")
        if (foreign and not is_reading) or (
            site not in ("none", "same-origin") and not (is_reading and mode == "navigate")
        ):
            return Refusal(403, "Another site asks for this in your name: it is refused.")
        if self.token is not None and not self._shows_token(scope, headers):
            return Refusal(
                401,
                "This server wants its token: open the whole address that it printed, with "
                "?token=..., or send the header 'Authorization: Bearer TOKEN'.",
            )
        return None

    def token_in_address(self, scope: Scope) -> bool:
        """Return whether the token is in the address, as where the page is opened first."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[-1]
        return scope["path"] == "/" and self._is_token(given)

    def _is_own_name(self, host: str) -> bool:
        """Return whether the header Host is an address, `localhost`, or a known name."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name == "localhost" or name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _shows_token(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(bearer.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        return (cookie is not None and self._is_token(cookie.value)) or self.token_in_address(scope)

    def _is_token(self, given: str) -> bool:
        """Compare in a time that tells nothing about the token."""
        return self.token is not None and secrets.compare_digest(
            given.encode("utf-8", "replace"), self.token.encode("utf-8")
        )


class Gate:
    """ASGI middleware that lets only those through who may ask, and sets :data:`HEADERS`.

    Args:
        app: What is behind it.
        access: The rules.
        limits: A request that says that it is too large is not read.
    """

    def __init__(self, app: ASGIApp, access: Access, limits: Limits) -> None:
        self.app = app
        self.access = access
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets
            return

        sets_cookie = self.access.token_in_address(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if sets_cookie:
                    headers.append("Set-Cookie", self._cookie(scope))
            await send(message)

        answer = self._refused(scope)
        await (self.app if answer is None else answer)(scope, receive, send_guarded)

    def _refused(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is refused."""
        refusal = self.access.refusal(scope)
        if refusal is None:
            length = Headers(scope=scope).get("content-length", "")
            most = str(self.limits.upload)
            if not length.isdigit() or (len(length), length) <= (len(most), most):
                return None
            refusal = Refusal(413, str(self.limits.too_large()))
        if scope["path"] == "/":  # a person has opened it in a browser
            return PlainTextResponse(refusal.reason, refusal.code)
        return JSONResponse({"detail": refusal.reason}, refusal.code)

    def _cookie(self, scope: Scope) -> str:
        """Return the cookie that holds the token: no script reads it, no other site sends it."""
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        return f"{COOKIE}={self.access.token}; Path=/; HttpOnly; SameSite=Strict{secure}"


def chosen_token(given: str | None, is_needed: bool) -> str | None:
    """Return the token of a server: as given, random where one is needed, or None.

    Raises:
        UsageError: If it is short, or cannot be part of an address and a cookie.
    """
    if given is None:
        return secrets.token_urlsafe(24) if is_needed else None
    if len(given) < SHORTEST_TOKEN or not all(c.isalnum() or c in "-_." for c in given):
        raise UsageError(
            f"--token must be at least {SHORTEST_TOKEN} letters, digits or any of -_. long"
        )
    if not given.isascii():
        raise UsageError("--token must be of ASCII letters, digits or any of -_.")
    return given


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a server at an address.

    Example:
        >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "clinic")]
        [True, True, True, False, False]
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _short(host: str) -> str:
    """Return a host's name as a message quotes it."""
    return repr(host[:80])
