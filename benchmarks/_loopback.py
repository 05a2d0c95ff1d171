"""A server on the loopback in a process of its own, so that it takes no time from a client.

Run it by `python -m benchmarks._loopback`, with a certificate and its key for TLS: it prints its
port, answers every POST and GET with the same JSON, and closes the connection after each reply
whose request asks for that.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import _alpaca_data
from benchmarks._coinbase_data import products_page

AWAKE_S = 0.005
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
ROOT = Path(__file__).resolve().parent.parent
BODY = (
    b'{"success":true,"success_response":{"order_id":"11111-00000-000000","product_id":"BTC-USD",'
    b'"side":"BUY","client_order_id":"0000-00000-000000"},"order_configuration":{"limit_limit_gtc":'
    b'{"base_size":"0.001","limit_price":"10000.00","post_only":false}}}'
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
ANSWERS = {
    b"/key_permissions": b'{"can_view":true,"can_trade":true,"portfolio_uuid":"0000"}',
    b"/brokerage/products": products_page(),
    b"/v2/account": _alpaca_data.ACCOUNT,
    b"/v2/assets/": _alpaca_data.ASSET,
    b"/v2/orders": _alpaca_data.placed(),
}
"""What is asked for before an order is placed; every other path is answered as a placement."""
LAST_PATH = b" /last "
"""Whoever asks for this path is not answered again by the same connection."""


def received(connection: socket.socket) -> Iterator[bytes]:
    """Return what comes, without sleeping for as long as more comes soon.

    A writer pays for waking up whoever sleeps, on a virtual machine more than for all that it does
    itself: what is to be measured would drown in it.
    """
    awake_until = time.monotonic() + AWAKE_S
    while True:
        try:
            some = connection.recv(65_536)
        except (BlockingIOError, ssl.SSLWantReadError):
            if time.monotonic() > awake_until:
                select.select([connection], [], [])
            continue
        if not some:
            return
        yield some
        awake_until = time.monotonic() + AWAKE_S


def requests_of(connection: socket.socket) -> Iterator[bytes]:
    """Return the first line of each request, once all of it has come."""
    held = b""
    for some in received(connection):
        held += some
        while (end := held.find(b"\r\n\r\n")) >= 0:
            head = held[:end]
            told = CONTENT_LENGTH.search(head)
            whole = end + 4 + (int(told[1]) if told else 0)
            if len(held) < whole:
                break
            held = held[whole:]
            yield head.partition(b"\r\n")[0]


def serve(connection: socket.socket, tls: ssl.SSLContext | None) -> None:
    """Answer the requests of one connection."""
    with suppress(OSError):
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        with connection:
            for line in requests_of(connection):
                is_last = LAST_PATH in line
                close = b"Connection: close\r\n" if is_last else b""
                body = next((told for path, told in ANSWERS.items() if path in line), BODY)
                connection.sendall(HEAD % len(body) + close + b"\r\n" + body)
                if is_last:
                    return


def main(arguments: list[str]) -> None:
    """Serve until the process is ended."""
    tls = None
    if arguments:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*arguments)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, tls), daemon=True).start()


@contextmanager
def loopback_server(*certificate: Path) -> Iterator[str]:
    """Run a server within a block; its address is returned."""
    command = [sys.executable, "-m", "benchmarks._loopback", *map(str, certificate)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield f"http{'s' if certificate else ''}://127.0.0.1:{port}"
        finally:
            process.terminate()


if __name__ == "__main__":
    main(sys.argv[1:])
