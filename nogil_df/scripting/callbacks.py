r"""The functions that a library registers, each as a text that can be judged like a script.

A script may touch the keys in KEYS; a function, the keys in its first parameter. So what a function does is
told by reading its body with that parameter renamed to KEYS, beside the rest of the library, which it may
call. The reading (`nogil_df.scripting.declared`) refuses what it doesn't know; here too everything is refused
that is not exactly one of these forms, wherever it stands:

- ``redis.register_function('name', f)``
- ``redis.register_function{function_name = 'name', callback = f, ...}``, with or without brackets around

where ``f`` is ``function(keys, args) ... end`` on the spot, or the name of a local function that occurs
nowhere else but where it is defined and registered: nobody else can call it with other keys.

A body that makes functions itself is refused: one of these might outlive the call, and the keys of that call
with it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from nogil_df.scripting.tokens import (
    END,
    KEYWORD,
    NAME,
    STRING,
    SYMBOL,
    Token,
    TokenError,
    closing,
    tokens_of,
)

_OPENS: Final = frozenset([b"function", b"do", b"if", b"repeat"])
_CLOSES: Final = frozenset([b"end", b"until"])


class _Body(NamedTuple):
    """A function literal: its parameters, the indexes of the first token of its body, and of its ``end``."""

    parameters: list[bytes]
    first: int
    last: int


class _Registration(NamedTuple):
    """One call of `redis.register_function`: first and last token, the name, a literal or a local's name."""

    start: int
    end: int
    name: bytes
    callback: _Body | bytes


def bodies_of(code: bytes) -> dict[bytes, bytes]:
    """Find the functions of a library.

    Args:
        code: of the library, with its first line.

    Returns:
        By function name, a script that touches no keys but KEYS only if the function touches no keys but
        those that it is given. Functions of which that can't be said are missing. O(code * functions).
    """
    # The first line goes, but not its end: nothing else would begin a line with a number sign.
    code = code[max(code.find(b"\n"), 0) :]
    try:
        return _Reader(code).bodies()
    except TokenError:
        return {}


class _Reader:
    """One reading of one library."""

    __slots__ = ("_code", "_tokens")

    def __init__(self, code: bytes) -> None:
        self._code = code
        self._tokens = tokens_of(code)

    def bodies(self) -> dict[bytes, bytes]:
        """See `bodies_of`."""
        registrations = self._registrations()
        named = self._named_functions(registrations)
        cuts = [(one.start, one.end) for one in registrations]
        cuts += [(start, body.last) for start, body in named.values()]
        rest = self._without(sorted(cuts))
        if rest is None:
            return {}
        found: dict[bytes, bytes] = {}
        for one in registrations:
            callback = one.callback
            if isinstance(callback, bytes):
                if callback not in named:
                    continue
                callback = named[callback][1]
            text = self._text_of(callback)
            if text is not None:
                found[one.name] = rest + text
        return found

    def _texts(self, index: int, count: int) -> list[bytes]:
        return [b"" if one.kind == STRING else one.text for one in self._tokens[index : index + count]]

    # Registrations.

    def _registrations(self) -> list[_Registration]:
        found = []
        for index in range(len(self._tokens)):
            if self._texts(index, 3) == [b"redis", b".", b"register_function"] and not self._is_field(index):
                one = self._registration(index)
                if one is not None:
                    found.append(one)
        return found

    def _is_field(self, index: int) -> bool:
        return index > 0 and self._texts(index - 1, 1)[0] in (b".", b":")

    def _registration(self, start: int) -> _Registration | None:
        """The call that begins at ``start``; None if it has another form."""
        at = start + 3
        if self._texts(at, 1) == [b"{"]:
            return self._with_table(start, at, closing(self._tokens, at))
        if self._texts(at, 1) != [b"("]:
            return None
        end = closing(self._tokens, at)
        if self._texts(at + 1, 1) == [b"{"]:
            last = closing(self._tokens, at + 1)
            return self._with_table(start, at + 1, end) if last + 1 == end else None
        name = _literal(self._tokens[at + 1])
        if name is None or self._texts(at + 2, 1) != [b","]:
            return None
        callback, after = self._callback(at + 3)
        return _Registration(start, end, name, callback) if callback is not None and after == end else None

    def _with_table(self, start: int, opening: int, end: int) -> _Registration | None:
        """The call whose table begins at ``opening``; `end` is the last token of the call."""
        name: bytes | None = None
        callback: _Body | bytes | None = None
        at, last = opening + 1, closing(self._tokens, opening)
        while at < last:
            field, sign = self._texts(at, 2)
            if self._tokens[at].kind != NAME or sign != b"=":
                return None
            if field.lower() == b"callback" and callback is None:
                callback, after = self._callback(at + 2)
            elif field.lower() == b"function_name" and name is None:
                name, after = _literal(self._tokens[at + 2]), at + 3
            elif field.lower() in (b"flags", b"description"):
                after = self._plain_value(at + 2, last)
            else:
                return None
            if after < 0 or (after < last and self._texts(after, 1)[0] not in (b",", b";")):
                return None
            at = after + 1
        if name is None or callback is None:
            return None
        return _Registration(start, end, name, callback)

    def _plain_value(self, at: int, last: int) -> int:
        """The index after a string, or a table of strings; -1 for anything else."""
        token = self._tokens[at]
        if token.kind == STRING:
            return at + 1
        if token.text != b"{":
            return -1
        end = closing(self._tokens, at)
        inner = self._tokens[at + 1 : end]
        return end + 1 if all(one.kind == STRING or one.text in (b",", b";") for one in inner) else -1

    def _callback(self, at: int) -> tuple[_Body | bytes | None, int]:
        """A function literal or a name at ``at``, and the index of what follows."""
        token = self._tokens[at]
        if token.kind == NAME:
            return token.text, at + 1
        body = self._body(at) if token.text == b"function" and token.kind == KEYWORD else None
        return body, body.last + 1 if body is not None else -1

    # Function literals.

    def _body(self, at: int) -> _Body | None:
        """The literal whose ``function`` stands at ``at``; its name, if it has one, was stepped over."""
        if self._texts(at + 1, 1) != [b"("]:
            return None
        end = closing(self._tokens, at + 1)
        inside = self._tokens[at + 2 : end]
        parameters = [token.text for token in inside if token.kind == NAME or token.text == b"..."]
        depth = 1
        for index in range(end + 1, len(self._tokens)):
            token = self._tokens[index]
            if token.kind != KEYWORD:
                continue
            if token.text in _OPENS:
                depth += 1
            elif token.text in _CLOSES:
                depth -= 1
                if not depth:
                    return _Body(parameters, end + 1, index)
        return None

    def _named_functions(self, registrations: list[_Registration]) -> dict[bytes, tuple[int, _Body]]:
        """Local functions that are registered and not used otherwise: where each begins, and its literal."""
        uses: dict[bytes, int] = {}
        for one in registrations:
            if isinstance(one.callback, bytes):
                uses[one.callback] = uses.get(one.callback, 0) + 1
        occurrences = dict.fromkeys(uses, 0)
        for token in self._tokens:
            if token.kind == NAME and token.text in occurrences:
                occurrences[token.text] += 1
        found: dict[bytes, tuple[int, _Body]] = {}
        for index in range(len(self._tokens) - 4):
            definition = self._definition(index)
            if definition is not None:
                name, body = definition
                if name in uses and occurrences[name] == uses[name] + 1 and body is not None:
                    found[name] = (index, body)
        return found

    def _definition(self, index: int) -> tuple[bytes, _Body | None] | None:
        """``local function f(...) ... end`` or ``local f = function(...) ... end`` at ``index``."""
        first, second, third, fourth = self._texts(index, 4)
        if first != b"local":
            return None
        if second == b"function" and self._tokens[index + 2].kind == NAME:
            return third, self._body(index + 2)
        if third != b"=" or fourth != b"function":
            return None
        body = self._body(index + 3)
        if body is None:
            return None
        after = self._tokens[body.last + 1]
        ends = after.kind in (NAME, END) or after.text == b";"
        ends = ends or (after.kind == KEYWORD and after.text not in (b"and", b"or"))
        return (second, body) if ends else None

    # Texts.

    def _without(self, cuts: list[tuple[int, int]]) -> bytes | None:
        """The code without some spans of tokens; None if these overlap, or what is left speaks of KEYS."""
        pieces: list[bytes] = []
        done = at = 0
        for start, end in cuts:
            if start < at:
                return None
            if any(token.text == b"KEYS" for token in self._tokens[at:start]):
                return None
            pieces += [self._code[done : self._tokens[start].start], b" ; "]
            at, done = end + 1, self._tokens[end].end
        if any(token.text == b"KEYS" for token in self._tokens[at:]):
            return None
        return b"".join([*pieces, self._code[done:], b"\n"])

    def _text_of(self, body: _Body) -> bytes | None:
        """A body as a script; None if it is none of those that can be judged."""
        tokens = self._tokens[body.first : body.last]
        parameters = body.parameters
        keys = parameters[0] if parameters and parameters[0] != b"..." else None
        if len(set(parameters)) != len(parameters):
            return None
        pieces = [b"local %b\n" % name for name in parameters[1:] if name != b"..."]
        for position, token in enumerate(tokens):
            if token.kind == KEYWORD and token.text == b"function":
                return None
            if token.kind != NAME or (position and _is_dot(tokens[position - 1])):
                pieces.append(token.text)
            elif token.text == keys:
                pieces.append(b"KEYS")
            elif token.text == b"KEYS":
                return None
            else:
                pieces.append(token.text)
        return b" ".join(pieces)


def _is_dot(token: Token) -> bool:
    """Whether the name of a field follows."""
    return token.kind == SYMBOL and token.text in (b".", b":")


def _literal(token: Token) -> bytes | None:
    """The value of a string without escapes; None for anything else."""
    if token.kind != STRING or token.text[:1] not in (b'"', b"'") or b"\\" in token.text:
        return None
    return token.text[1:-1]
