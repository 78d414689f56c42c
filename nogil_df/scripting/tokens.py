"""Lua 5.1 as tokens: enough to reason about a script's text without running it.

The parser is Lua's own business; a script that does not compile never gets this far. Comments and white space
are gone, strings keep their quotes. Source: section 2.1 of the Lua 5.1 reference manual.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

NAME, KEYWORD, NUMBER, STRING, SYMBOL, END = range(6)

KEYWORDS: Final = frozenset(
    b"and break do else elseif end false for function if in local nil not or repeat return then true until "
    b"while".split()
)

OPENING: Final = {b"(": b")", b"[": b"]", b"{": b"}"}

_TOKEN: Final = re.compile(
    rb"""(?P<space>[ \t\r\n\f\v]+)
    |(?P<comment>--(?!\[=*\[)[^\n]*)
    |(?P<long>(?:--)?\[(?P<level>=*)\[)
    |(?P<name>[A-Za-z_][A-Za-z_0-9]*)
    |(?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<string>"(?:[^"\\\n]|\\(?:\r\n|\n\r|.))*"|'(?:[^'\\\n]|\\(?:\r\n|\n\r|.))*')
    |(?P<symbol>\.\.\.|\.\.|==|~=|<=|>=|[-+*/%^\#<>=(){}\[\];:,.])""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """One token: its kind, its text, and where it begins and ends in the source."""

    kind: int
    text: bytes
    start: int
    end: int


class TokenError(Exception):
    """This is no Lua."""


def tokens_of(code: bytes) -> list[Token]:
    """The tokens of a script; the last one is END. O(text).

    Raises:
        TokenError: there is something that is no token.
    """
    found: list[Token] = []
    at = 0
    while at < len(code):
        match = _TOKEN.match(code, at)
        if match is None:
            raise TokenError(f"at byte {at}")
        start, at = at, match.end()
        kind = match.lastgroup
        if match["long"] is not None:
            closing = b"]" + match["level"] + b"]"
            end = code.find(closing, at)
            if end < 0:
                raise TokenError(f"unfinished at byte {start}")
            at = end + len(closing)
            if not match["long"].startswith(b"--"):
                found.append(Token(STRING, code[start:at], start, at))
        elif kind == "name":
            text = match["name"]
            found.append(Token(KEYWORD if text in KEYWORDS else NAME, text, start, at))
        elif kind in ("number", "string", "symbol"):
            kinds = {"number": NUMBER, "string": STRING, "symbol": SYMBOL}
            found.append(Token(kinds[kind], match[0], start, at))
    found.append(Token(END, b"", at, at))
    return found


def closing(tokens: list[Token], opening: int) -> int:
    """The index of the bracket that closes the one at ``opening``. O(tokens between).

    Raises:
        TokenError: nothing closes it.
    """
    wanted = [OPENING[tokens[opening].text]]
    for index in range(opening + 1, len(tokens)):
        token = tokens[index]
        if token.kind != SYMBOL:
            continue
        if token.text in OPENING:
            wanted.append(OPENING[token.text])
        elif token.text == wanted[-1]:
            wanted.pop()
            if not wanted:
                return index
        elif token.text in (b")", b"]", b"}"):
            break
    raise TokenError(f"unbalanced at byte {tokens[opening].start}")


_ENDS_A_BLOCK: Final = frozenset([b"end", b"else", b"elseif", b"until", b";", b""])
_ONE_RESULT: Final = re.compile(
    rb"(?:redis\.(?:call|pcall|sha1hex|log|setresp|set_repl|acl_check_cmd)|cjson\.(?:encode|decode)|cmsgpack\.pack"
    rb"|struct\.(?:pack|size)|bit\.\w+|table\.(?:insert|remove|sort)|math\.random|setmetatable|rawset|rawget)"
)
"""Our own functions, in Lua, that return one value or none."""


def without_tail_calls(code: bytes) -> bytes:
    """The script with ``return redis.call(...)`` as ``return (redis.call(...))``, which means the same.

    Lua drops the frame of a function that ends in a call of another Lua function, and with it the line that
    an error is reported for. Redis's own functions are C functions, for which it does not; ours are not. The
    brackets cut the results down to one: harmless for functions that have no more, and for every call where
    the script itself ends, as nobody asks for its other results.
    """
    try:
        return _without_tail_calls(code, tokens_of(code))
    except TokenError:
        return code


def _without_tail_calls(code: bytes, tokens: list[Token]) -> bytes:
    pieces: list[bytes] = []
    done = 0
    blocks: list[bytes] = []
    for index, token in enumerate(tokens):
        if token.kind != KEYWORD:
            continue
        if token.text in (b"function", b"do", b"if", b"repeat"):
            blocks.append(token.text)
        elif token.text in (b"end", b"until") and blocks:
            blocks.pop()
        elif token.text == b"return" and token.start >= done:
            opening = _end_of_name(tokens, index + 1)
            if tokens[opening].text != b"(" or tokens[opening].kind != SYMBOL:
                continue
            last = closing(tokens, opening)
            name = b"".join(part.text for part in tokens[index + 1 : opening])
            follows = tokens[last + 1]
            alone = follows.text in _ENDS_A_BLOCK and follows.kind in (KEYWORD, SYMBOL, END)
            if alone and (b"function" not in blocks or _ONE_RESULT.fullmatch(name)):
                start, end = tokens[index + 1].start, tokens[last].end
                pieces += [code[done:start], b"(", code[start:end], b")"]
                done = end
    return b"".join([*pieces, code[done:]]) if pieces else code


def _end_of_name(tokens: list[Token], index: int) -> int:
    """Past ``a``, ``a.b`` or ``a.b:c`` at ``index``; ``index`` if there is no name."""
    if tokens[index].kind != NAME:
        return index
    index += 1
    while tokens[index].text in (b".", b":") and tokens[index + 1].kind == NAME:
        index += 2
    return index


def is_redis_call(tokens: list[Token], index: int) -> bool:
    """Whether ``redis.call(`` or ``redis.pcall(`` begins here. O(1)."""
    texts = [token.text for token in tokens[index : index + 4]]
    return texts[:2] == [b"redis", b"."] and texts[2] in (b"call", b"pcall") and texts[3:] == [b"("]
