"""A ClickHouse server for the lab: the native protocol in front, the real engine behind, users and rights of its own between them.

    python tests/lab/clickhouse --listen 127.0.0.1 --port 9000 --state DIR --admin-user default --admin-password-file FILE
        [--cluster NAME] [--certificate FILE]

It says "serving on ADDRESS:PORT" on standard error once it accepts; SIGTERM ends it. The log never holds a statement's text, so no
password either. install.py makes the Python that it runs in and writes this command.
"""
from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from session import Server, Session
from sql import ServerError, unsupported
from wire import CANCEL, HELLO, PING, QUERY, REVISION, Wire

T = TypeVar("T")


class Listener:
    """Accepts clients; each has a session of its own, and all of them share the engine's one thread."""

    def __init__(self, server: Server, engine: ThreadPoolExecutor) -> None:
        self._server, self._engine = server, engine

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk with one client until it leaves."""
        wire = Wire(reader, writer)
        peer = writer.get_extra_info("peername")[0]
        session: Session | None = None
        try:
            session = await self._log_in(wire, peer)
            while (packet := await wire.packet()) is not None:
                await self._answer(wire, session, packet, peer)
                await wire.flush()
        except ServerError as error:
            log(f"{peer}: code {error.code}, connection closed")
            await wire.send_error(error)
        except (asyncio.IncompleteReadError, ConnectionError):
            log(f"{peer}: gone")
        finally:
            if session is not None:
                await self._in_engine(session.close)
            writer.close()

    async def _in_engine(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._engine, call)

    async def _log_in(self, wire: Wire, peer: str) -> Session:
        if await wire.packet() != HELLO:
            raise unsupported("clients that do not begin with a greeting")
        hello = await wire.hello()
        if hello.revision < REVISION:
            raise unsupported(f"clients of revision {hello.revision}; {REVISION} is the oldest")
        session = await self._in_engine(partial(Session, self._server, user=hello.user, password=hello.password, database=hello.database))
        wire.send_hello(self._server.version, socket.gethostname())
        await wire.flush()
        log(f"{peer}: {hello.user} logged in")
        return session

    async def _answer(self, wire: Wire, session: Session, packet: int, peer: str) -> None:
        if packet == PING:
            wire.send_pong()
        elif packet == QUERY:
            await self._query(wire, session, peer)
        elif packet != CANCEL:
            raise unsupported(f"packets of kind {packet} here")

    async def _query(self, wire: Wire, session: Session, peer: str) -> None:
        text = await wire.query()
        begun = time.monotonic()
        try:
            kind, blocks = await self._in_engine(partial(session.run, text))
        except ServerError as error:
            log(f"{peer}: code {error.code}")
            await wire.send_error(error)
            return
        for block in blocks:
            wire.send_block(block)
        wire.send_end()
        log(f"{peer}: {kind} {round((time.monotonic() - begun) * 1000)} ms")


def log(line: str) -> None:
    print(time.strftime("%H:%M:%S", time.gmtime()), line, file=sys.stderr, flush=True)


async def listen(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine") as engine:
        make = partial(
            Server, arguments.state, tuple(arguments.cluster), arguments.port, arguments.admin_user,
            arguments.admin_password_file.read_text().strip())
        server = await asyncio.get_running_loop().run_in_executor(engine, make)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if arguments.certificate else None
        if tls:
            tls.load_cert_chain(arguments.certificate)
        accepting = await asyncio.start_server(Listener(server, engine).serve, arguments.listen, arguments.port, ssl=tls)
        log(f"serving on {arguments.listen}:{accepting.sockets[0].getsockname()[1]}")
        await stop.wait()
        accepting.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="clickhouse", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--listen", default="127.0.0.1", help="address")
    parser.add_argument("--port", type=int, default=9000, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder of its data and accounts")
    parser.add_argument("--admin-user", default="default")
    parser.add_argument("--admin-password-file", type=Path, required=True)
    parser.add_argument("--cluster", action="append", default=[], help="a name that ON CLUSTER may use; may be repeated")
    parser.add_argument("--certificate", type=Path, help="file with a certificate and its key (PEM): clients come by TLS alone")
    asyncio.run(listen(parser.parse_args()))


if __name__ == "__main__":
    main()
