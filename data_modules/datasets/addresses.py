"""Reading a file from a folder, a web server or an object store; no address starts a program."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from magenet.errors import UserError

Result = TypeVar("Result")

ATTEMPTS = 4
"""How often a file is read before a lost connection is an error (our choice)."""

TIMEOUT = 60.0
"""Seconds without an answer after which a connection counts as lost (our choice)."""


class Readable(Protocol):
    """An open file."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes."""


class LostConnectionError(OSError):
    """A server does not answer, breaks off or is overloaded: another attempt may succeed."""


def join(location: str, name: str) -> str:
    """Return the address of a file of a set: its name replaces `{}`, or is appended.

    Example:
        >>> join("https://example.org/eyes", "index.json")
        'https://example.org/eyes/index.json'
        >>> join("https://example.org/{}?version=2", "index.json")
        'https://example.org/index.json?version=2'
    """
    if "{}" in location:
        return location.replace("{}", name)
    return f"{location.rstrip('/')}/{name}"


def read_address(address: str, read: Callable[[Readable], Result]) -> Result:
    """Open a file and return what `read` makes of it.

    Args:
        address: A path, or an address `file:`, `http://`, `https://` or `s3://`.
        read: Function of the open file; called again, on the file from its start, after a lost
            connection.

    Raises:
        OSError: If the file cannot be opened or read.
        UserError: If the address is of another kind, or `s3://` and boto3 is not installed.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _opened(address) as stream:
                return read(stream)
        except LostConnectionError:
            if attempt == ATTEMPTS:
                raise
            time.sleep(2.0 ** (attempt - 1))
    raise AssertionError("the last attempt returns or raises")


def _opened(address: str) -> AbstractContextManager[Readable]:
    """Return the opened file of an address; see :func:`read_address`."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", address)  # a single letter is a drive
    scheme = found[1].lower() if found else ""
    if scheme in ("http", "https"):
        return _from_web(address)
    if scheme == "s3":
        return _from_object_store(address)
    if scheme == "file":
        return Path(request.url2pathname(urlsplit(address).path)).open("rb")
    if scheme:
        raise UserError(
            f"{address}: '{scheme}:' is no address of shards: give a folder, file:, http://, "
            "https:// or s3:// (commands, pipe:, are not run; ./ comes before a folder with a "
            "colon in its name)"
        )
    return Path(address).open("rb")


@contextmanager
def _from_web(address: str) -> Iterator[Readable]:
    """Open a file of a web server.

    Raises:
        OSError: If it cannot be opened or read.
    """
    opener = request.OpenerDirector()  # without urllib's handlers of file:, ftp: and data:
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPRedirectHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    try:
        with opener.open(address, timeout=TIMEOUT) as response:
            yield _Complete(response)
    except HTTPError as error:
        kind = LostConnectionError if error.code in (429, 500, 502, 503, 504) else OSError
        raise kind(f"the server answers {error.code} {error.reason}") from None
    except (HTTPException, ConnectionError, TimeoutError, URLError) as error:
        raise LostConnectionError(str(error) or type(error).__name__) from None


class _Complete:
    """Response of a web server whose end is an error if it comes too early."""

    def __init__(self, response: Any) -> None:
        self.response = response

    def read(self, size: int, /) -> bytes:
        content: bytes = self.response.read(size)
        if len(content) < size and self.response.length:  # bytes that are still to come
            raise LostConnectionError("the connection broke off")
        return content


@contextmanager
def _from_object_store(address: str) -> Iterator[Readable]:
    """Open an object `s3://bucket/key`, with the keys and the endpoint of boto3's environment.

    Raises:
        OSError: If it cannot be opened or read.
        UserError: If boto3 is not installed.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
        from botocore.exceptions import IncompleteReadError as Incomplete
    except ImportError:
        raise UserError(
            f'{address}: needs boto3, which is not installed: pip install "magenet[stream]"'
        ) from None
    bucket, _, key = address.partition("://")[2].partition("/")
    try:
        # A new client each time: one that a process was forked with must not be used.
        yield boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    except (HTTPClientError, Incomplete) as error:
        raise LostConnectionError(str(error)) from None
    except (BotoCoreError, ClientError) as error:
        raise OSError(str(error)) from None
