"""A command's syntax as a tree: what COMMAND DOCS calls its arguments.

A row holds the syntax as people write it, ``key [NX | XX] [EX seconds]``; this module reads it:

``[x]``          x may be left out
``<a | b>``      one of them
``x [x ...]``    x once or more
``WORD``         stands for itself
``WORD x``       x, announced by a word

Which type an argument has is told by its name, which the syntaxes of all commands choose alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from nogil_df.wire.values import Members, Simple

_TOKENS = re.compile(r'\.\.\.|[\[\]<>|]|"[^"]*"|[^\s\[\]<>|]+')

_KEYS = frozenset("key key1 key2 newkey source destination sourcekey destkey".split())
_INTEGERS = frozenset(
    """seconds milliseconds count cursor increment decrement offset start end stop index index1 index2 db
    numkeys timeout len length bit value-bits protover client-id maxage limit min-match-len ttl id""".split()
)


@dataclass(slots=True)
class Argument:
    """One node of the tree.

    Attributes:
        kind: Redis's name of its type: key, string, integer, pure-token, oneof, block...
        token: the word that announces it, or that it is.
    """

    name: str
    kind: str
    token: str = ""
    optional: bool = False
    multiple: bool = False
    children: list[Argument] = field(default_factory=list)

    def reply(self, keys: list[str], specs: int) -> dict[bytes, Any]:
        """As COMMAND DOCS shows it.

        Args:
            keys: names of key arguments seen so far, which this call extends.
            specs: how many key specifications the command has.
        """
        shown: dict[bytes, Any] = {b"name": self.name, b"type": self.kind}
        if self.kind not in ("pure-token", "oneof", "block"):
            shown[b"display_text"] = self.name
        if self.kind == "key" and specs:
            if self.name not in keys:
                keys.append(self.name)
            shown[b"key_spec_index"] = min(keys.index(self.name), specs - 1)
        if self.token:
            shown[b"token"] = self.token
        flags = [
            word for word, is_set in (("optional", self.optional), ("multiple", self.multiple)) if is_set
        ]
        if flags:
            shown[b"flags"] = Members([Simple(word.encode()) for word in flags])
        if self.children:
            shown[b"arguments"] = [child.reply(keys, specs) for child in self.children]
        return shown


def parse_syntax(syntax: str) -> list[Argument]:
    """The arguments of a syntax. O(length)."""
    return _Reader(_TOKENS.findall(syntax)).sequence()


class _Reader:
    """Recursive descent over the words of a syntax."""

    __slots__ = ("at", "words")

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.at = 0

    def _next(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def sequence(self) -> list[Argument]:
        """Arguments up to the end, a bar or a closing bracket."""
        found: list[Argument] = []
        while self._next() not in ("", "|", "]", ">"):
            word = self._next()
            self.at += 1
            if word == "...":
                found.append(Argument("", "repeat"))
            elif word == "[":
                self._optional(found)
            elif word == "<":
                found.append(self._one_of(">"))
            else:
                found.append(_leaf(word))
        return _announced(found)

    def _optional(self, before: list[Argument]) -> None:
        """What stands in square brackets; a repetition of what came before is no argument of its own."""
        inner = self._one_of("]")
        members = inner.children if inner.kind == "block" else [inner]
        if members and members[-1].kind == "repeat":
            members.pop()
            repeated = before[-len(members) :] if members else before[-1:]
            del before[-len(repeated) :]
            before.append(replace(_joined(repeated), multiple=True))
        else:
            before.append(replace(inner, optional=True))

    def _one_of(self, end: str) -> Argument:
        choices = [self.sequence()]
        while self._next() == "|":
            self.at += 1
            choices.append(self.sequence())
        if self._next() == end:
            self.at += 1
        if len(choices) == 1:
            return _joined(choices[0])
        children = [_joined(choice) for choice in choices]
        return Argument(children[0].name, "oneof", children=children)


def _joined(arguments: list[Argument]) -> Argument:
    if len(arguments) == 1:
        return arguments[0]
    name = arguments[0].name if arguments else "block"
    return Argument(name, "block", children=arguments)


def _announced(found: list[Argument]) -> list[Argument]:
    """Give words to what they announce: ``EX seconds`` is one argument, ``LIMIT offset count`` a block."""
    arguments: list[Argument] = []
    at = 0
    while at < len(found):
        argument = found[at]
        at += 1
        if argument.kind == "pure-token" and at < len(found) and _can_be_announced(found[at]):
            end = at
            while end < len(found) and _can_be_announced(found[end]):
                end += 1
            argument = replace(_joined(found[at:end]), token=argument.token)
            at = end
        arguments.append(argument)
    return arguments


def _can_be_announced(argument: Argument) -> bool:
    return not argument.optional and argument.kind not in ("pure-token", "repeat") and not argument.token


def _leaf(word: str) -> Argument:
    if word == word.upper() and any(letter.isalpha() for letter in word):
        return Argument(word.lower(), "pure-token", token=word)
    if word.startswith('"') or not word[0].isalnum():
        return Argument(word.strip('"'), "pure-token", token=word.strip('"'))
    return Argument(word, _kind(word))


def _kind(name: str) -> str:
    if name in _KEYS:
        return "key"
    if name.startswith("unix-time"):
        return "unix-time"
    if name == "pattern":
        return "pattern"
    return "integer" if name in _INTEGERS else "string"
