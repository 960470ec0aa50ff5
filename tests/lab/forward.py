"""Carry connections from one place to another: python3 forward.py LISTEN TARGET, each HOST:PORT or the path of a unix socket.

Two of these are the way out of a lab to a real server: one listens at the lab's address, the other stands in the host's network, and
between them lies a unix socket, which belongs to no network.
"""
from __future__ import annotations

import contextlib
import socket
import sys
import threading
from pathlib import Path

CHUNK = 65536
CONNECT_SECONDS = 10.0


def place_of(text: str) -> tuple[str, int] | str:
    """The address that a word names: (host, port), or the path of a socket."""
    if text.startswith("/"):
        return text
    host, _colon, port = text.rpartition(":")
    return host, int(port)


def listening(text: str) -> socket.socket:
    place = place_of(text)
    if isinstance(place, tuple):
        return socket.create_server(place)
    with contextlib.suppress(FileNotFoundError):
        Path(place).unlink()
    server = socket.socket(socket.AF_UNIX)
    server.bind(place)
    server.listen()
    return server


def connected(text: str) -> socket.socket:
    place = place_of(text)
    if isinstance(place, tuple):
        found = socket.create_connection(place, CONNECT_SECONDS)
        found.settimeout(None)
        return found
    found = socket.socket(socket.AF_UNIX)
    found.connect(place)
    return found


def copy(source: socket.socket, sink: socket.socket) -> None:
    """Carry one direction to its end, and say the end to the other side."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def carry(client: socket.socket, target: str) -> None:
    """Carry one connection; one whose target does not answer is ended at once."""
    with client:
        try:
            there = connected(target)
        except OSError as error:
            print(f"{target}: {error}", flush=True)
            return
        with there:
            back = threading.Thread(target=copy, args=(there, client), daemon=True)
            back.start()
            copy(client, there)
            back.join()


def main() -> None:
    listen, target = sys.argv[1:]
    with listening(listen) as server:
        while True:
            client, _address = server.accept()
            threading.Thread(target=carry, args=(client, target), daemon=True).start()


if __name__ == "__main__":
    main()
