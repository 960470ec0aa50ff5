"""The real ClickHouse engine (chdb). There is one a process, so every call goes through one thread."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import chdb
from sql import ServerError, literal

ENGINE_ERROR = re.compile(r"Code: (\d+)\. DB::Exception: (.*?)(?:: In scope .*)?\. \((\w+)\)\s*$", re.DOTALL)


def translated(error: chdb.ChdbError) -> ServerError:
    """The engine's own number, name and text, without the engine's copy of the statement."""
    found = ENGINE_ERROR.search(str(error))
    if found is None:
        return ServerError(1001, "STD_EXCEPTION", "The engine failed")
    return ServerError(int(found[1]), found[3], found[2] + ".")


class EngineSession:
    """One connection to the engine: its own current database, settings and temporary tables. Use it from the engine's thread only."""

    def __init__(self, folder: Path) -> None:
        self._connection: Any = chdb.connect(str(folder))

    def close(self) -> None:
        self._connection.close()

    def text(self, statement: str) -> str:
        """The single value that a statement answers."""
        return self._query(statement, "RawBLOB").decode()

    def rows(self, statement: str) -> list[list[str]]:
        """A small result as text; no value may hold a tab or a line's end."""
        return [line.split("\t") for line in self._query(statement, "TSVRaw").decode().splitlines()]

    def canonical(self, statement: str) -> str:
        """The statement as the engine's parser understood it, on one line; ServerError 62 where it does not understand."""
        return self.text(f"SELECT formatQuerySingleLine({literal(statement)})")

    def syntax_tree(self, canonical: str) -> list[str]:
        """The engine's syntax tree, one node a line, children one blank further in."""
        return [row[0] for row in self.rows(f"EXPLAIN AST {canonical}")]

    def blocks(self, statement: str, *, streamed: bool) -> list[bytes]:
        """The result in the Native format, one block an element; a SELECT has at least a block without rows."""
        if not streamed:
            block = self._query(statement, "Native")
            return [block] if block else []
        try:
            with self._connection.send_query(statement, "Native") as chunks:
                blocks = [bytes(chunk.bytes()) for chunk in chunks]
        except chdb.ChdbError as error:
            raise translated(error) from error
        return blocks or [self._empty_block(statement)]

    def _empty_block(self, statement: str) -> bytes:
        columns = self.rows(f"DESCRIBE TABLE ({statement})")
        block = bytes([*varint(len(columns)), 0])
        for name, kind, *_rest in columns:
            block += packed(name) + packed(kind)
        return block

    def _query(self, statement: str, output: str) -> bytes:
        try:
            return bytes(self._connection.query(statement, output).bytes() or b"")
        except chdb.ChdbError as error:
            raise translated(error) from error


def varint(number: int) -> bytes:
    """An unsigned number, seven bits a byte, lowest first."""
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def packed(text: str) -> bytes:
    """A string after its length in bytes."""
    content = text.encode()
    return varint(len(content)) + content
