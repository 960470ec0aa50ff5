"""ClickHouse's native protocol, as far as drivers need it to log in, ask and read: no compression, no rows from the client."""
from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

from engine import packed, varint
from sql import ServerError, unsupported

REVISION = 54432  # settings travel as strings, and nothing newer is spoken
BLOCK_INFO = varint(1) + b"\x00" + varint(2) + struct.pack("<i", -1) + varint(0)
LONGEST_STRING = 64 << 20  # bytes
HELLO, QUERY, DATA, CANCEL, PING = 0, 1, 2, 3, 4
SERVER_HELLO, SERVER_DATA, SERVER_EXCEPTION, SERVER_PONG, SERVER_END = 0, 1, 2, 4, 5
BY_TCP = 1


@dataclass
class Hello:
    """What a client says first."""

    client: str
    revision: int
    database: str
    user: str
    password: str


class Wire:
    """One client's connection, packet by packet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def number(self) -> int:
        """An unsigned number, seven bits a byte, lowest first."""
        number = shift = 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    async def string(self) -> str:
        length = await self.number()
        if length > LONGEST_STRING:
            raise unsupported(f"strings of {length} bytes")
        return (await self._reader.readexactly(length)).decode(errors="replace")

    async def hello(self) -> Hello:
        client = await self.string()
        await self.number()
        await self.number()
        revision = await self.number()
        return Hello(client, revision, await self.string(), await self.string(), await self.string())

    async def query(self) -> str:
        """The text of a query, after everything that comes before it; the data that follows must be empty."""
        await self.string()
        await self._client_info()
        while await self.string():
            await self.number()
            await self.string()
        await self.number()
        compressed = await self.number()
        text = await self.string()
        if compressed:
            raise unsupported("compression: connect without it")
        if await self.number() != DATA:
            raise unsupported("a packet here that is not data")
        await self.data()
        return text

    async def _client_info(self) -> None:
        if (await self._reader.readexactly(1))[0] == 0:
            return
        for _field in ("initial user", "initial query", "initial address"):
            await self.string()
        interface = (await self._reader.readexactly(1))[0]
        if interface != BY_TCP:
            raise unsupported("clients that do not come by TCP")
        for _field in ("system user", "host", "client"):
            await self.string()
        for _field in ("major", "minor", "revision"):
            await self.number()
        await self.string()
        await self.number()

    async def data(self) -> None:
        """A block without rows: the end of a client's data."""
        await self.string()
        while (mark := await self.number()) != 0:
            await self._reader.readexactly(1 if mark == 1 else 4)
        if await self.number() or await self.number():
            raise unsupported("rows in blocks: write them into the statement itself")

    def send_hello(self, version: tuple[int, int, int], host: str) -> None:
        major, minor, patch = (varint(part) for part in version)
        self._writer.write(
            varint(SERVER_HELLO) + packed("ClickHouse") + major + minor + varint(REVISION) + packed("UTC") + packed(host) + patch)

    def send_block(self, block: bytes) -> None:
        self._writer.write(varint(SERVER_DATA) + packed("") + BLOCK_INFO + block)

    def send_end(self) -> None:
        self._writer.write(varint(SERVER_END))

    def send_pong(self) -> None:
        self._writer.write(varint(SERVER_PONG))

    async def send_error(self, error: ServerError) -> None:
        text = packed("DB::Exception") + packed(f"DB::Exception: {error}")
        self._writer.write(varint(SERVER_EXCEPTION) + struct.pack("<i", error.code) + text + packed("") + b"\x00")
        await self.flush()

    async def packet(self) -> int | None:
        """The kind of the next packet; None when the client is gone."""
        first = await self._reader.read(1)
        return first[0] if first else None

    async def flush(self) -> None:
        await self._writer.drain()
