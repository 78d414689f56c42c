"""FILTER expressions of VSIM: compiled once, asked of the JSON attribute of each candidate.

    .year >= 1980 and (.genre == "horror" or .genre in ["sci-fi", 'noir']) and not .seen

Operators by rank, loosest first: ``or ||``, ``and &&``, ``== != > >= < <= in``, ``+ -``, ``* / %``, ``**``,
``not !``. Values are numbers, strings, lists of them, and ``true false null``. ``.name`` is a member of the
attribute, which is a JSON object; an expression that asks for one that is not there is false, whatever the
rest says. Truth values are 1 and 0. (Redis documentation of vector sets, 8.0 and 8.2.)

An expression is nested closures over the parsed attribute. Whatever goes wrong in one is false.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final

Value = Any
Node = Callable[[dict[str, Any]], Value]

DEEPEST: Final = 100
"""Brackets and prefixes inside each other."""

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
      | \.(?P<selector>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>\*\*|==|!=|>=|<=|&&|\|\||[-+*/%<>!()\[\],])
    )""",
    re.VERBOSE | re.ASCII,
)

_SAME: Final = {"and": "&&", "or": "||", "not": "!"}
_CONSTANTS: Final = {"true": 1, "false": 0, "null": None}
_RANKS: Final = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("==", "!=", ">", ">=", "<", "<=", "in"), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%"), 5),
    "**": 6,
}
_ARITHMETIC: Final = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "**": operator.pow,
}
_ORDER: Final = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


class FilterError(ValueError):
    """An expression is none; ``args[0]`` is where it ceased to be one."""


class _Missing(Exception):
    """The attribute has no such member."""


def compile_filter(text: str) -> Callable[[bytes], bool]:
    """What tells whether an attribute will do. O(text).

    Raises:
        FilterError.
    """
    # Not needed to start a server.
    from json import loads

    parser = _Parser(text)
    root = parser.expression(0, 0)
    if parser.kind:
        raise FilterError(parser.begin)

    def wanted(attribute: bytes) -> bool:
        try:
            members = loads(attribute)
            return isinstance(members, dict) and bool(root(members))
        except (_Missing, ValueError, ArithmeticError, TypeError, RecursionError):
            return False

    return wanted


class _Parser:
    """Precedence climbing; the next token is in ``kind`` and ``text``, ``kind`` "" at the end."""

    def __init__(self, text: str) -> None:
        self.source = text.rstrip()
        self.at = 0
        self.begin = 0
        self.kind = ""
        self.text = ""
        self.advance()

    def advance(self) -> None:
        """Go on to the next token."""
        while self.at < len(self.source) and self.source[self.at].isspace():
            self.at += 1
        self.begin = self.at
        self.kind = self.text = ""
        if self.at == len(self.source):
            return
        found = _TOKEN.match(self.source, self.at)
        if found is None or found.lastgroup is None:
            raise FilterError(self.at)
        self.kind, self.text = found.lastgroup, found[found.lastgroup]
        self.at = found.end()
        if self.kind == "word" and (self.text.lower() in _SAME or self.text.lower() == "in"):
            self.kind, self.text = "sign", _SAME.get(self.text.lower(), "in")

    def expect(self, sign: str) -> None:
        """Pass a sign that has to be next."""
        if self.kind != "sign" or self.text != sign:
            raise FilterError(self.begin)
        self.advance()

    def expression(self, rank: int, depth: int) -> Node:
        """An expression of operators that bind more closely than ``rank``."""
        left = self.operand(depth)
        while self.kind == "sign" and _RANKS.get(self.text, 0) > rank:
            sign = self.text
            own_rank = _RANKS[sign]
            self.advance()
            # Powers group from the right, all others from the left.
            left = _binary(sign, left, self.expression(own_rank - (sign == "**"), depth))
        return left

    def operand(self, depth: int) -> Node:
        """A value, or an expression in brackets."""
        if depth > DEEPEST:
            raise FilterError(self.begin)
        kind, text = self.kind, self.text
        if kind == "sign" and text in ("!", "-", "+"):
            self.advance()
            inner = self.operand(depth + 1)
            if text == "!":
                return lambda members: int(not inner(members))
            return (lambda members: -_number(inner(members))) if text == "-" else inner
        if kind == "sign" and text == "(":
            self.advance()
            inner = self.expression(0, depth + 1)
            self.expect(")")
            return inner
        if kind == "selector":
            self.advance()
            return _selector(text)
        value = self.constant()
        return lambda members: value

    def constant(self) -> Value:
        """A number, a string, a list of them, true, false or null."""
        kind, text, begin = self.kind, self.text, self.begin
        if kind == "sign" and text == "[":
            self.advance()
            items: list[Value] = []
            while not (self.kind == "sign" and self.text == "]"):
                if items:
                    self.expect(",")
                sign = -1 if self.kind == "sign" and self.text == "-" else 1
                if sign < 0:
                    self.advance()
                item = self.constant()
                items.append(-_number(item) if sign < 0 else item)
            self.advance()
            return items
        if not kind or kind == "sign":
            raise FilterError(begin)
        self.advance()
        if kind == "number":
            return float(text)
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        if text.lower() not in _CONSTANTS:
            raise FilterError(begin)
        return _CONSTANTS[text.lower()]


def _selector(name: str) -> Node:
    def read(members: dict[str, Any]) -> Value:
        if name not in members:
            raise _Missing
        value = members[name]
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, dict):
            raise _Missing
        return value

    return read


def _binary(sign: str, left: Node, right: Node) -> Node:
    if sign == "&&":
        return lambda members: int(bool(left(members)) and bool(right(members)))
    if sign == "||":
        return lambda members: int(bool(left(members)) or bool(right(members)))
    if sign == "==":
        return lambda members: int(_equal(left(members), right(members)))
    if sign == "!=":
        return lambda members: int(not _equal(left(members), right(members)))
    if sign == "in":
        return lambda members: int(_is_in(left(members), right(members)))
    if sign in _ORDER:
        compare = _ORDER[sign]
        return lambda members: int(compare(_number(left(members)), _number(right(members))))
    compute = _ARITHMETIC[sign]
    return lambda members: _real(compute(_number(left(members)), _number(right(members))))


def _real(value: Any) -> float:
    if isinstance(value, complex):
        raise ArithmeticError("a root of a negative number")
    return float(value)


def _number(value: Value) -> float:
    """A value as a number: what is none counts as 0."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return 0.0
    return float(value) if isinstance(value, int | float) else 0.0


def _equal(left: Value, right: Value) -> bool:
    if left is None or right is None:
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    if isinstance(left, list) or isinstance(right, list):
        return bool(left == right)
    return _number(left) == _number(right)


def _is_in(value: Value, where: Value) -> bool:
    if isinstance(where, list):
        return any(_equal(value, item) for item in where)
    return isinstance(value, str) and isinstance(where, str) and value in where
