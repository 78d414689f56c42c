"""What a script calls, as far as reading it tells: which commands, and which arguments are declared keys.

A script whose every `redis.call` names a literal command, and gives it no keys but elements of KEYS, can't
touch any other key; it needs no more than the locks of these. Nothing is guessed. The reasoning is sound
because of what is refused: whatever the rules below don't know makes the whole script one that may touch
anything.

- ``redis`` stands only before ``.call(``, ``.pcall(`` or a function that touches no keys: it is not passed
  on, not given another name, not indexed with a computed one;
- ``KEYS`` stands only in ``KEYS[...]`` as a value, ``#KEYS``, ``ipairs(KEYS)``, ``pairs(KEYS)`` and
  ``unpack(KEYS)``: so it has the elements that the client gave it as long as the script runs;
- ``_G``, ``load``, ``loadstring`` do not occur;
- an argument is a declared key if it is ``KEYS[...]``, or a local variable that is only ever bound to that:
  by ``local k = KEYS[1]`` or ``for _, k in ipairs(KEYS) do``. A name that is bound in any other way anywhere
  in the script, as a parameter for instance, is no such variable, whatever its scope.

Which arguments of a command are keys, the commands know; see `nogil_df.commands.script_locks`.
"""

from __future__ import annotations

from typing import Final

from nogil_df.scripting.tokens import (
    END,
    KEYWORD,
    NAME,
    NUMBER,
    STRING,
    SYMBOL,
    Token,
    TokenError,
    closing,
    is_redis_call,
    tokens_of,
)

KEY: Final = True
"""An argument that is a declared key."""

ANY: Final = None
"""An argument of which nothing is known."""

ONE, MORE_KEYS, MORE = range(3)
"""What a call's last argument stands for: itself, any number of declared keys, any number of anything."""

Argument = bytes | bool | None


class Call:
    """One `redis.call` in a script.

    Attributes:
        arguments: the command's name and its arguments: bytes for a literal, KEY or ANY.
        tail: what follows them: ONE for nothing, MORE_KEYS, MORE.
    """

    __slots__ = ("arguments", "tail")

    def __init__(self, arguments: list[Argument], tail: int) -> None:
        self.arguments = arguments
        self.tail = tail


class _Unknown(Exception):
    """The script does something that the rules don't know."""


_HARMLESS: Final = frozenset(
    b"sha1hex log error_reply status_reply setresp acl_check_cmd set_repl replicate_commands breakpoint "
    b"debug LOG_DEBUG LOG_VERBOSE LOG_NOTICE LOG_WARNING REPL_ALL REPL_NONE REPL_AOF REPL_SLAVE REPL_REPLICA "
    b"REDIS_VERSION REDIS_VERSION_NUM".split()
)
_FORBIDDEN: Final = frozenset([b"_G", b"load", b"loadstring"])
_READERS: Final = frozenset([b"ipairs", b"pairs", b"unpack"])
# After these an expression begins, so that what follows is a value, not the target of an assignment.
_BEFORE_VALUE: Final = frozenset(
    b"( { [ = == ~= < > <= >= .. + - * / % ^ # and or not return in if while until elseif".split()
)


def calls_of(code: bytes) -> list[Call] | None:
    """What the script calls. O(text).

    Returns:
        Every `redis.call` and `redis.pcall` in it; None if it might call anything.
    """
    try:
        return _Reader(tokens_of(code)).calls()
    except (TokenError, _Unknown):
        return None


def defines_no_functions(code: bytes) -> bool:
    """Whether a script that `calls_of` could read has every `redis.call` on its own first level. O(text).

    It has no functions of its own, `redis.call` is no value that it could give to one of Lua's, and it does
    not speak of coroutines.
    """
    return not any(
        (token.kind == KEYWORD and token.text == b"function") or token.text == b"coroutine"
        for token in tokens_of(code)
    )


class _Reader:
    """One reading of one script."""

    __slots__ = ("_good", "_tokens", "_bad")

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        # Names bound to a declared key, and names bound to anything else.
        self._good: set[bytes] = set()
        self._bad: set[bytes] = set()

    def calls(self) -> list[Call]:
        """See `calls_of`."""
        self._find_bindings()
        found: list[Call] = []
        tokens = self._tokens
        for index, token in enumerate(tokens):
            if token.kind != NAME or self._is_field(index):
                continue
            if token.text in _FORBIDDEN:
                raise _Unknown
            if token.text == b"redis":
                if is_redis_call(tokens, index):
                    found.append(self._call(index + 3))
                elif tokens[index + 1].text != b"." or tokens[index + 2].text not in _HARMLESS:
                    raise _Unknown
            elif token.text == b"KEYS":
                self._check_keys(index)
            elif token.text in _READERS and (
                tokens[index + 1].text != b"(" or self._text(index - 1) == b"function"
            ):
                raise _Unknown
        return found

    def _is_field(self, index: int) -> bool:
        return index > 0 and self._tokens[index - 1].text in (b".", b":")

    def _text(self, index: int) -> bytes:
        token = self._tokens[index]
        return b"" if token.kind == STRING else token.text

    def _check_keys(self, index: int) -> None:
        """See that KEYS, at ``index``, is only read."""
        after = self._text(index + 1)
        before = self._text(index - 1) if index else b""
        if after == b"[":
            end = closing(self._tokens, index + 1)
            if self._text(end + 1) == b"=" or not self._is_value(index, before):
                raise _Unknown
            return
        if before == b"#":
            return
        reader = self._tokens[index - 2] if index > 1 else None
        if before == b"(" and after == b")" and reader is not None and reader.text in _READERS:
            if self._is_field(index - 2):
                raise _Unknown
            return
        raise _Unknown

    def _is_value(self, index: int, before: bytes) -> bool:
        """Whether what begins at ``index`` is a value, not one of several targets of an assignment."""
        if before in _BEFORE_VALUE:
            return True
        if before != b",":
            return False
        # Back over the list, to what begins it.
        depth = 0
        operand = False
        for at in range(index - 1, -1, -1):
            token = self._tokens[at]
            text = self._text(at)
            if text in (b")", b"]", b"}"):
                if not depth and operand:
                    return False
                depth += 1
            elif text in (b"(", b"[", b"{"):
                if not depth:
                    return True
                depth -= 1
                operand = depth == 0
            elif not depth:
                if text in (b"=", b"return", b"in"):
                    return True
                if token.kind in (NAME, NUMBER, STRING) or text in (b"nil", b"true", b"false", b"..."):
                    if operand and self._text(at + 1) not in (b"[", b"(", b"{", b".", b":"):
                        return False
                    operand = True
                elif token.kind == SYMBOL and text != b";":
                    operand = False
                elif text not in (b"and", b"or", b"not"):
                    return False
                else:
                    operand = False
        return False

    # Bindings of names.

    def _find_bindings(self) -> None:
        tokens = self._tokens
        skip = -1
        for index, token in enumerate(tokens):
            if index <= skip:
                continue
            if token.kind == KEYWORD:
                if token.text == b"local":
                    skip = self._read_local(index)
                elif token.text == b"for":
                    skip = self._read_for(index)
                elif token.text == b"function":
                    self._read_function(index)
            elif token.kind == SYMBOL and token.text == b"=":
                self._read_targets(index)

    def _names(self, index: int) -> tuple[list[bytes], int]:
        """A list of names; returns them and the index of what follows."""
        names = []
        while self._tokens[index].kind == NAME:
            names.append(self._tokens[index].text)
            index += 1
            if self._text(index) != b",":
                break
            index += 1
        return names, index

    def _read_local(self, index: int) -> int:
        """``local`` names [``=`` values]. Returns the index of the last token that was dealt with."""
        names, at = self._names(index + 1)
        if self._text(at) != b"=":
            self._bad.update(names)
            return at - 1
        end = at
        for name in names:
            is_key = False
            if end >= 0 and self._text(end) in (b"=", b","):
                is_key, end = self._element(end + 1)
            (self._good if is_key else self._bad).add(name)
        return at

    def _element(self, index: int) -> tuple[bool, int]:
        """Whether ``KEYS[...]`` alone stands at ``index``; the index of what follows, -1 if it does not."""
        if self._text(index) != b"KEYS" or self._text(index + 1) != b"[":
            return False, -1
        after = closing(self._tokens, index + 1) + 1
        token = self._tokens[after]
        # What could go on with the same expression; a new statement begins with a name or keyword.
        if token.kind == STRING or token.text in (b".", b":", b"[", b"(", b"{", b"and", b"or"):
            return False, -1
        if token.kind == SYMBOL and token.text not in (b",", b";", b")", b"}"):
            return False, -1
        return True, after

    def _read_for(self, index: int) -> int:
        names, at = self._names(index + 1)
        over_keys = [self._text(position) for position in range(at, min(at + 6, len(self._tokens)))]
        if over_keys[:1] == [b"in"] and over_keys[1:] in (
            [b"ipairs", b"(", b"KEYS", b")", b"do"],
            [b"pairs", b"(", b"KEYS", b")", b"do"],
        ):
            self._bad.update(names[:1])
            self._good.update(names[1:2])
            self._bad.update(names[2:])
        else:
            self._bad.update(names)
        # A numeric `for` has a sign of assignment of its own.
        return at if self._text(at) == b"=" else at - 1

    def _read_function(self, index: int) -> None:
        at = index + 1
        if self._tokens[at].kind == NAME:
            self._bad.add(self._tokens[at].text)
        while self._text(at) != b"(":
            if self._tokens[at].kind == END:
                raise _Unknown
            at += 1
        self._bad.update(self._names(at + 1)[0])

    def _read_targets(self, index: int) -> None:
        """What is assigned to before the ``=`` at ``index``: names there are bound to who knows what."""
        at = index - 1
        while at >= 0:
            text = self._text(at)
            if self._tokens[at].kind == NAME:
                self._bad.add(text)
                at -= 1
            elif text == b"]" or text == b")":
                at = self._opening(at) - 1
            elif text in (b",", b".", b":"):
                at -= 1
            else:
                return

    def _opening(self, index: int) -> int:
        depth = 0
        for at in range(index, -1, -1):
            text = self._text(at)
            if text in (b")", b"]", b"}"):
                depth += 1
            elif text in (b"(", b"[", b"{"):
                depth -= 1
                if not depth:
                    return at
        raise _Unknown

    # Calls.

    def _call(self, opening: int) -> Call:
        """The call whose arguments begin after the bracket at ``opening``."""
        end = closing(self._tokens, opening)
        spans = self._split(opening + 1, end)
        if not spans:
            return Call([], ONE)
        arguments = [self._argument(*span) for span in spans]
        if not isinstance(arguments[0], bytes):
            raise _Unknown
        tail = self._tail(*spans[-1])
        return Call(arguments if tail == ONE else arguments[:-1], tail)

    def _split(self, start: int, end: int) -> list[tuple[int, int]]:
        """The arguments between two indexes, as spans of tokens."""
        spans = []
        begin = at = start
        while at < end:
            text = self._text(at)
            if text in (b"(", b"[", b"{"):
                at = closing(self._tokens, at)
            elif text == b",":
                spans.append((begin, at))
                begin = at + 1
            elif text == b"function":
                # Commas in its body are not ours.
                raise _Unknown
            at += 1
        if begin < end:
            spans.append((begin, end))
        return spans

    def _argument(self, start: int, end: int) -> Argument:
        tokens = self._tokens
        token = tokens[start]
        if end - start == 1:
            if token.kind == STRING:
                return _literal(token.text)
            if token.kind == NUMBER and token.text.isdigit():
                return token.text
            if token.kind == NAME and token.text in self._good and token.text not in self._bad:
                return KEY
            return ANY
        if self._text(start) == b"KEYS" and self._text(start + 1) == b"[":
            return KEY if closing(tokens, start + 1) == end - 1 else ANY
        return ANY

    def _tail(self, start: int, end: int) -> int:
        texts = [self._text(at) for at in range(start, end)]
        if texts == [b"unpack", b"(", b"KEYS", b")"]:
            return MORE_KEYS
        if b"..." in texts or b"(" in texts or (len(texts) > 1 and self._tokens[end - 1].kind == STRING):
            return MORE
        return MORE if texts[-1:] == [b"}"] else ONE


def _literal(text: bytes) -> Argument:
    """The value of a string without escapes; ANY for others."""
    if text[:1] not in (b'"', b"'") or b"\\" in text:
        return ANY
    return text[1:-1]
