"""`magenet serve`: the application on an address of this machine, until it is stopped."""

from __future__ import annotations

import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import uvicorn

from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.folder.results import FolderOptions
from magenet.errors import UserError
from magenet.serving.access import Access, chosen_token, is_loopback
from magenet.serving.app import create_app
from magenet.serving.limits import Limits
from magenet.serving.store import Store
from magenet.serving.worker import UploadEnhancer

MOST_CONNECTIONS = 100
"""Connections at once, above which the server answers 503 (our choice)."""

PATIENCE = 5
"""Seconds that a download has to end when the server stops (our choice)."""


@dataclass(frozen=True)
class Address:
    """Where a server is reached.

    Attributes:
        host: Address or name to listen on.
        port: Its port; 0 for one that is free.
        names: Host names that browsers call it by, such as that of a proxy.
        token: What clients must show; None: random where other machines may connect.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    names: tuple[str, ...] = ()
    token: str | None = None


def serve(
    address: Address, folder: Path, limits: Limits, options: FolderOptions, device: torch.device
) -> None:
    """Serve until Ctrl-C or SIGTERM; the photograph at hand is finished first.

    Args:
        address: Where.
        folder: Folder of the photographs; see :class:`magenet.serving.store.Store`.
        limits: What is taken and kept at most.
        options: How photographs are enhanced.
        device: Where to compute.

    Raises:
        UserError: If the address is taken, or for the folder and the weights.
    """
    # A proxy of a name makes a server on this machine one that others reach.
    is_private = is_loopback(address.host) and not address.names
    token = chosen_token(address.token, is_needed=not is_private)
    listening = _listen(address)
    with listening:
        enhancer = PhotographEnhancer.from_pretrained(options.weights, device, options.max_memory)
        store = Store(folder, limits)
        names = frozenset(name.lower() for name in (*address.names, address.host))
        app = create_app(
            store, UploadEnhancer(enhancer, options), Access(names, token),
            enhancer.hashes["weights_sha256"],
        )  # fmt: skip
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, ws="none",
            limit_concurrency=MOST_CONNECTIONS, timeout_graceful_shutdown=PATIENCE,
        )  # fmt: skip
        print(
            f"magenet: open {url(address, listening.getsockname()[1], token)}\n"
            f"magenet: photographs are in {store.folder} and are deleted {limits.keep:g} minutes "
            "after their upload; Ctrl-C ends the server",
            flush=True,
        )
        if not is_loopback(address.host):
            print(
                "magenet: what is sent is not encrypted: on a network, put a proxy with TLS in "
                "front (docs/serve.md)",
                flush=True,
            )
        with _signals_end_it(), _temporary_files_in(store.folder / "moving"):
            uvicorn.Server(config).run(sockets=[listening])
        if held := sum(len(job.uploads) for job in store.snapshot()):
            print(
                f"magenet: {held} photograph(s) stay in {store.folder} until the server starts "
                "again, or you delete that folder",
                flush=True,
            )


def url(address: Address, port: int, token: str | None) -> str:
    """Return what a person opens in a browser.

    Args:
        address: Where the server listens.
        port: Its port.
        token: Its token, if there is one.

    Example:
        >>> url(Address("::1"), 8765, None), url(Address("10.0.0.5"), 80, "secret")
        ('http://[::1]:8765/', 'http://10.0.0.5:80/?token=secret')
    """
    host = _own_address() if address.host in ("0.0.0.0", "::") else address.host
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")


def _own_address() -> str:
    """Return the address by which other machines reach this one; nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of no machine: reserved for documentation
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _listen(address: Address) -> socket.socket:
    """Return a socket that listens.

    Raises:
        UserError: If the port is taken, or there is no such address.
    """
    host, port = address.host, address.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # `::` is every address of this machine, those of IPv4 too
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{host}, port {port}: cannot be listened on ({reason}); choose another --port or "
            "--host"
        ) from None


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Let uploads be spooled in a folder that nobody else can read."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """Let the signals that end a server do nothing more: uvicorn raises them again at its end.

    A terminal that is closed ends it as SIGTERM does.
    """
    ends = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in ends}
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        before[signal.SIGHUP] = signal.signal(
            signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM)
        )
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
