"""How two replies to the same command are compared: exactly, unless the case declares a tolerance.

A tolerance is a callable `(expected, actual) -> bool`, `expected` being redis-server's reply. Whatever is
tolerated, the type of the reply never is: every tolerance but `anything` compares kinds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.resp import Reply

Tolerance = Callable[[Reply, Reply], bool]

_AGGREGATES = frozenset("*~>%|")
_NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?")


def exact(expected: Reply, actual: Reply) -> bool:
    """The same bytes. Sets have no order of their own in RESP3, so `~` is compared without."""
    if expected.kind == "~" and actual.kind == "~":
        return unordered(expected, actual)
    return expected == actual


def kind(expected: Reply, actual: Reply) -> bool:
    """The same type; for an array, null stays different from a list. Errors must have the same first word."""
    if expected.kind == "-" == actual.kind:
        return bool(expected.value.split(b" ")[0] == actual.value.split(b" ")[0])
    return expected.kind == actual.kind and (expected.value is None) == (actual.value is None)


def unordered(expected: Reply, actual: Reply) -> bool:
    """Aggregates hold the same members in any order, at every depth."""
    return canonical(expected) == canonical(actual)


def canonical(reply: Reply) -> Reply:
    """The reply with every aggregate sorted."""
    if reply.kind not in _AGGREGATES or reply.value is None:
        return reply
    if reply.kind in "%|":
        pairs = [(canonical(key), canonical(value)) for key, value in reply.value]
        return Reply(reply.kind, tuple(sorted(pairs, key=repr)))
    return Reply(reply.kind, tuple(sorted(map(canonical, reply.value), key=repr)))


def doubles(expected: Reply, actual: Reply) -> bool:
    """As `exact`, but doubles are compared as numbers: redis-server 7.0 prints more digits of them."""
    if expected.kind in _AGGREGATES and expected.kind == actual.kind and expected.kind not in "%|":
        if expected.value is None or actual.value is None:
            return expected == actual
        return len(expected.value) == len(actual.value) and all(map(doubles, expected.value, actual.value))
    return exact(expected, actual) or (
        expected.kind == actual.kind
        and expected.kind in "$,"
        and _NUMBER.fullmatch(expected.value or b"") is not None
        and _NUMBER.fullmatch(actual.value or b"") is not None
        and repr(float(expected.value)) == repr(float(actual.value))
    )


def shape(expected: Reply, actual: Reply) -> bool:
    """The same types at every depth and the same number of elements; values are free."""
    if not kind(expected, actual):
        return False
    if expected.kind not in _AGGREGATES or expected.value is None:
        return True
    return len(expected.value) == len(actual.value) and all(
        all(map(shape, e, a)) if expected.kind in "%|" else shape(e, a)
        for e, a in zip(expected.value, actual.value, strict=True)
    )


def anything(expected: Reply, actual: Reply) -> bool:
    """Nothing is compared; for steps that only set the stage differently on the two servers."""
    return True


def text_fields(expected: Reply, actual: Reply) -> bool:
    """A text of `name=value` or `name:value` fields: every name of redis-server is there, values are free."""
    return kind(expected, actual) and field_names(expected.value) <= field_names(actual.value)


_HISTORY = (b"cmdstat_", b"errorstat_", b"latency_percentiles_")


def field_names(text: bytes) -> set[bytes]:
    """Names before `=` in words, or before `:` at the start of lines.

    Lines named after a command or an error that occurred tell what a server was asked since it started, not
    what it can tell: which tests ran on it before, that is, and that differs between the two.
    """
    names = set(re.findall(rb"(?:^| )([a-z][a-z0-9_-]*)=", text, re.M))
    lines = set(re.findall(rb"^([a-z]\w*):", text, re.M))
    return names | {line for line in lines if not line.startswith(_HISTORY)}


@dataclass(frozen=True)
class Near:
    """Integers may differ by `distance`, at every depth; but negative ones (-1, -2) must be equal."""

    distance: int

    def __call__(self, expected: Reply, actual: Reply) -> bool:
        if expected.kind != actual.kind:
            return False
        if expected.kind == ":":
            if min(expected.value, actual.value) < 0:
                return bool(expected.value == actual.value)
            return bool(abs(expected.value - actual.value) <= self.distance)
        if expected.kind in "*~>" and expected.value is not None and actual.value is not None:
            return len(expected.value) == len(actual.value) and all(map(self, expected.value, actual.value))
        return expected == actual


class Masked:
    """Pairs of a map (RESP3) or flat array (RESP2): some values may differ, their types not."""

    def __init__(self, *names: str) -> None:
        self.names = {name.encode() for name in names}

    def __call__(self, expected: Reply, actual: Reply) -> bool:
        if not kind(expected, actual) or expected.kind not in "*%" or expected.value is None:
            return expected == actual
        return self._pairs(expected) == self._pairs(actual)

    def _pairs(self, reply: Reply) -> list[tuple[Reply, Reply]]:
        pairs = reply.value if reply.kind == "%" else zip(reply.value[::2], reply.value[1::2], strict=True)
        return [
            (key, Reply(value.kind, "masked") if key.value in self.names else value) for key, value in pairs
        ]
