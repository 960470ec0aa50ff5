"""Statements as the engine's own formatter writes them: tokens, and a reader that walks over them.

The formatter leaves no comments, one blank between words, back quotes around names that need them, and backslash escapes in strings;
so a few regular expressions tell its tokens apart, and nothing here has to judge syntax.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

TOKEN = re.compile(r"'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|[A-Za-z_]\w*|\d[\w.]*|\s+|.", re.DOTALL)
QUOTED = re.compile(r"('(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)", re.DOTALL)
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}
PLAIN_NAME = re.compile(r"[A-Za-z_]\w*")


class ServerError(Exception):
    """What the server answers instead of a result: ClickHouse's number, its name, and one sentence without any password."""

    def __init__(self, code: int, name: str, text: str) -> None:
        super().__init__(f"{text} ({name})")
        self.code = code


def unsupported(what: str) -> ServerError:
    return ServerError(48, "NOT_IMPLEMENTED", f"The lab's server does not know {what}.")


def literal(text: str) -> str:
    """A string of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def name_of(text: str) -> str:
    """A name of SQL, in back quotes where it needs them."""
    return text if PLAIN_NAME.fullmatch(text) else "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"


def tokens_of(text: str) -> list[str]:
    return [token for token in TOKEN.findall(text) if not token.isspace()]


def is_name(token: str) -> bool:
    return token.startswith("`") or PLAIN_NAME.fullmatch(token) is not None


def value_of(token: str) -> str:
    """The text that a string, a quoted name or a plain name stands for."""
    if token[:1] in {"'", "`"}:
        return ESCAPE.sub(lambda match: ESCAPED.get(match[1], match[1]), token[1:-1])
    return token


def qualified_names(text: str) -> list[tuple[str, str]]:
    """Every pair of names with a dot between them, wherever it stands."""
    tokens = tokens_of(text)
    return [
        (value_of(left), value_of(right)) for left, dot, right in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if dot == "." and is_name(left) and (is_name(right) or right == "*")
    ]


def split_strings(text: str) -> list[str]:
    """The text in parts: those with an odd index are strings and quoted names, the others what lies between."""
    return QUOTED.split(text)


def replace_outside_strings(text: str, pattern: re.Pattern[str], replacement: dict[str, str]) -> str:
    """Put `replacement[match in lower case]` for each match of `pattern` that lies in no string and no quoted name."""
    parts = split_strings(text)
    parts[::2] = [pattern.sub(lambda match: replacement[match[0].lower()], part) for part in parts[::2]]
    return "".join(parts)


@dataclass
class Words:
    """A position in a statement's tokens."""

    tokens: list[str]
    at: int = 0

    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def peek(self) -> str:
        return "" if self.done() else self.tokens[self.at]

    def accept(self, phrase: str) -> bool:
        """Step over the words of `phrase` if they come next."""
        words = phrase.split()
        found = [token.upper() for token in self.tokens[self.at:self.at + len(words)]]
        if found != words:
            return False
        self.at += len(words)
        return True

    def expect(self, phrase: str) -> None:
        if not self.accept(phrase):
            raise unsupported(f"the clause that begins with {self._shown()!r} here; {phrase} would be understood")

    def take(self) -> str:
        """The value of the next token, a name or a string."""
        if self.done():
            raise unsupported("a statement that ends here")
        self.at += 1
        return value_of(self.tokens[self.at - 1])

    def list(self) -> list[str]:
        names = [self.take()]
        while self.accept(","):
            names.append(self.take())
        return names

    def end(self) -> None:
        if not self.done():
            raise unsupported(f"the clause that begins with {self._shown()!r}")

    def _shown(self) -> str:
        """The next token, but never a string: it may be a password."""
        return "a string" if self.peek().startswith("'") else self.peek()
