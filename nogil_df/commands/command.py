"""COMMAND: the command table, told to clients. Everything in the replies is derived from the rows.

Client libraries ask it for key positions and flags, redis-cli for its hints. Flags and categories come in the
order in which Redis lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.glob import compile_glob
from nogil_df.commands.spec import Command, Row, container, local
from nogil_df.commands.syntax import parse_syntax
from nogil_df.wire.values import Members, Simple

if TYPE_CHECKING:
    from nogil_df.commands.session import Session

Args = list[bytes]

HELP = (
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Describes every command.",
    "COUNT",
    "    Tells how many commands there are.",
    "DOCS [<command-name> ...]",
    "    Explains these commands, or all.",
    "GETKEYS <full-command>",
    "    Tells which arguments of a command are keys.",
    "GETKEYSANDFLAGS <full-command>",
    "    Tells which arguments of a command are keys, and what it does with each.",
    "INFO [<command-name> ...]",
    "    Describes these commands, or all.",
    "LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
    "    Names every command, or those that a filter lets pass.",
    "HELP",
    "    Shows this text.",
)

FLAGS = """write readonly denyoom module admin pubsub noscript blocking loading stale skip_monitor
skip_slowlog asking fast no_auth may_replicate no_mandatory_keys no_async_loading no_multi movablekeys
allow_busy""".split()
"""Flags in Redis's order."""

CATEGORIES = """keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin
fast slow blocking dangerous connection transaction scripting""".split()
"""ACL categories in Redis's order."""

_FLAG_ORDER = {name: position for position, name in enumerate(FLAGS)}
_CATEGORY_ORDER = {f"@{name}": position for position, name in enumerate(CATEGORIES)}


def _ordered(words: str, order: dict[str, int]) -> Members:
    known = sorted(words.split(), key=lambda word: order.get(word, len(order)))
    return Members([Simple(word.encode()) for word in known])


# --- COMMAND, COMMAND INFO ---


def run_command(session: Session, args: Args) -> list[Any]:
    """COMMAND: all rows. O(commands)."""
    return [describe(command) for command in session.dispatcher.table.values()]


def run_count(session: Session, args: Args) -> int:
    """COMMAND COUNT."""
    return len(session.dispatcher.table)


def run_info(session: Session, args: Args) -> list[Any]:
    """COMMAND INFO [name...]: null for a name that there is none of."""
    if len(args) == 2:
        return run_command(session, args)
    found = [named(session, name) for name in args[2:]]
    return [None if command is None else describe(command) for command in found]


def named(session: Session, name: bytes) -> Command | None:
    """The command, or subcommand as ``parent|child``, of a name in any case."""
    first, _, second = name.decode("latin-1").upper().partition("|")
    command = session.dispatcher.table.get(first)
    if command is None or not second:
        return command
    return command.subcommands.get(second.encode("latin-1"))


def describe(command: Command) -> list[Any]:
    """A command's row in COMMAND INFO."""
    row = command.row
    first, last, step = row.keys
    return [
        command.full_name,
        row.arity,
        _ordered(row.flags, _FLAG_ORDER),
        first,
        last,
        step,
        _ordered(row.acl, _CATEGORY_ORDER),
        Members(row.tips.split()),
        Members([key_spec(*spec) for spec in key_specs(row)]),
        [describe(child) for child in command.subcommands.values()],
    ]


KeySpec = tuple[str, tuple[int, int, int] | None]
"""Flags of a key specification, and first, last (relative to first if positive), step; None: not told so."""


def key_specs(row: Row) -> list[KeySpec]:
    """What a row says of its keys: one specification for all of them, or one for each with its own flags."""
    first, last, step = row.keys
    groups = [group.strip() for group in row.key_flags.split(";")]
    if not first:
        return [(groups[0], None)] if row.find_keys is not None else []
    if len(groups) > 1:
        # The last group is that of all further keys, where there can be any number of them.
        further = [0] * (len(groups) - 1) + [min(last, 0)]
        return [(group, (first + at * step, further[at], 1)) for at, group in enumerate(groups)]
    return [(groups[0], (first, last - first if last > 0 else last, step))]


def key_spec(flags: str, place: tuple[int, int, int] | None) -> dict[bytes, Any]:
    """One key specification as COMMAND INFO shows it."""
    if place is None:
        begin: dict[bytes, Any] = {b"type": b"unknown", b"spec": {}}
        find: dict[bytes, Any] = {b"type": b"unknown", b"spec": {}}
    else:
        begin = {b"type": b"index", b"spec": {b"index": place[0]}}
        span = {b"lastkey": place[1], b"keystep": place[2], b"limit": 0}
        find = {b"type": b"range", b"spec": span}
    return {b"flags": _flags_of_key(flags.split()), b"begin_search": begin, b"find_keys": find}


def _flags_of_key(flags: Iterable[str]) -> Members:
    """Access first and in capitals, then what happens to the value."""
    words = [word.upper() if len(word) == 2 else word.lower() for word in flags]
    return Members([Simple(word.encode()) for word in words])


# --- COMMAND DOCS ---


def run_docs(session: Session, args: Args) -> dict[Any, Any]:
    """COMMAND DOCS [name...]: names that there are none of are left out."""
    if len(args) == 2:
        return {command.full_name: document(command) for command in session.dispatcher.table.values()}
    found = [named(session, name) for name in args[2:]]
    return {command.full_name: document(command) for command in found if command is not None}


def document(command: Command) -> dict[bytes, Any]:
    """A command's entry in COMMAND DOCS."""
    row = command.row
    shown: dict[bytes, Any] = {
        b"summary": row.summary,
        b"since": row.since,
        b"group": row.group,
        b"complexity": row.complexity if row.run or row.op else "That of the subcommand",
    }
    if row.syntax:
        keys: list[str] = []
        specs = len(key_specs(row))
        shown[b"arguments"] = [argument.reply(keys, specs) for argument in parse_syntax(row.syntax)]
    if command.subcommands:
        shown[b"subcommands"] = {child.full_name: document(child) for child in command.subcommands.values()}
    return shown


# --- COMMAND GETKEYS, GETKEYSANDFLAGS ---


def run_getkeys(session: Session, args: Args) -> list[bytes]:
    """COMMAND GETKEYS command [arg...]."""
    command, given = _full_command(session, args[2:])
    return [given[position] for position in _positions(command, given)]


def run_getkeysandflags(session: Session, args: Args) -> list[Any]:
    """COMMAND GETKEYSANDFLAGS command [arg...]."""
    command, given = _full_command(session, args[2:])
    positions = _positions(command, given)
    return [
        [given[position], _flags_of_key(flags.split())]
        for position, flags in zip(positions, flags_by_key(command, given, len(positions)), strict=True)
    ]


def _full_command(session: Session, given: Args) -> tuple[Command, Args]:
    """The command that ``given`` would run.

    Raises:
        ReplyError: there is none, it has no keys, or not so many arguments.
    """
    command = session.dispatcher.table.get(given[0].decode("latin-1").upper())
    if command is not None and command.subcommands and len(given) > 1:
        command = command.subcommands.get(given[1].upper())
    if command is None:
        raise ReplyError("COMMAND_INVALID")
    if not command.first_key and command.row.find_keys is None:
        raise ReplyError("COMMAND_NO_KEYS")
    if not command.least <= len(given) <= command.most:
        raise ReplyError("COMMAND_KEYS_ARITY")
    return command, given


def _positions(command: Command, given: Args) -> list[int]:
    """Where the keys are.

    Raises:
        ReplyError: the arguments don't tell.
    """
    try:
        positions = command.key_indexes(given)
    except ReplyError:
        raise ReplyError("COMMAND_KEYS_INVALID") from None
    if not positions and "no_mandatory_keys" not in command.flags:
        raise ReplyError("COMMAND_KEYS_INVALID")
    if any(position >= len(given) for position in positions):
        raise ReplyError("COMMAND_KEYS_INVALID")
    return positions


def flags_by_key(command: Command, given: Args, count: int) -> list[str]:
    """What the command does with each of its keys."""
    exact = _EXACT_FLAGS.get(command.name)
    if exact is not None:
        return [exact(given)] * count
    groups = [flags for flags, _ in key_specs(command.row)]
    return [groups[min(at, len(groups) - 1)] for at in range(count)]


def _flags_of_set(given: Args) -> str:
    options = {word.upper() for word in given[3:]}
    return "RW ACCESS UPDATE" if b"GET" in options else "OW UPDATE"


def _flags_of_delex(given: Args) -> str:
    return "RM DELETE" if len(given) == 2 else "RW DELETE"


def _flags_of_bitfield(given: Args) -> str:
    at = 2
    while at < len(given):
        size = {b"GET": 3, b"OVERFLOW": 2}.get(given[at].upper(), 0)
        if not size or at + size > len(given):
            return "RW ACCESS UPDATE"
        at += size
    return "RO ACCESS"


_EXACT_FLAGS: dict[str, Callable[[Args], str]] = {
    "SET": _flags_of_set,
    "DELEX": _flags_of_delex,
    "BITFIELD": _flags_of_bitfield,
}
"""Commands that do with their key what their options say (``variable_flags`` in their rows)."""


# --- COMMAND LIST ---


def run_list(session: Session, args: Args) -> list[str]:
    """COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]."""
    return [command.full_name for command in _filtered(session, args[2:])]


def _filtered(session: Session, words: Args) -> Iterator[Command]:
    commands = _with_subcommands(session)
    if not words:
        return commands
    if len(words) != 3 or words[0].upper() != b"FILTERBY":
        raise ReplyError("SYNTAX")
    kind, wanted = words[1].upper(), words[2]
    if kind == b"MODULE":
        return iter(())
    if kind == b"ACLCAT":
        category = f"@{wanted.decode('latin-1').lower()}"
        return (command for command in commands if category in command.row.acl.split())
    if kind == b"PATTERN":
        matches = compile_glob(wanted, nocase=True)
        return (command for command in commands if matches(command.full_name.encode()))
    raise ReplyError("SYNTAX")


def _with_subcommands(session: Session) -> Iterator[Command]:
    for command in session.dispatcher.table.values():
        yield command
        yield from command.subcommands.values()


def run_help(session: Session, args: Args) -> list[Simple]:
    """COMMAND HELP."""
    return [Simple(line.encode()) for line in HELP]


def _row(name: str, arity: int, run: Callable[..., Any], **rest: Any) -> Row:
    return local(
        f"COMMAND {name}",
        arity,
        "loading stale",
        run=run,
        acl="@slow @connection",
        group="server",
        **rest,
    )


_MANY = "O(N) where N is the number of commands"
_NAMES = "[command-name [command-name ...]]"
_CALL = "command [arg [arg ...]]"

TABLE: tuple[Row, ...] = (
    container(
        "COMMAND",
        -1,
        "loading stale",
        _row("COUNT", 2, run_count, since="2.8.13", summary="Counts the commands."),
        _row(
            "DOCS",
            -2,
            run_docs,
            since="7.0.0",
            syntax=_NAMES,
            summary="Explains commands.",
            complexity=_MANY,
            tips="nondeterministic_output_order",
        ),
        _row(
            "GETKEYS",
            -3,
            run_getkeys,
            since="2.8.13",
            syntax=_CALL,
            summary="Tells which arguments of a command are keys.",
            complexity="O(N) where N is the number of arguments",
        ),
        _row(
            "GETKEYSANDFLAGS",
            -3,
            run_getkeysandflags,
            since="7.0.0",
            syntax=_CALL,
            summary="Tells which arguments of a command are keys, and what it does with them.",
            complexity="O(N) where N is the number of arguments",
        ),
        _row("HELP", 2, run_help, since="5.0.0", summary="Lists the subcommands."),
        _row(
            "INFO",
            -2,
            run_info,
            since="2.8.13",
            syntax=_NAMES,
            summary="Describes commands.",
            complexity=_MANY,
            tips="nondeterministic_output_order",
        ),
        _row(
            "LIST",
            -2,
            run_list,
            since="7.0.0",
            syntax="[FILTERBY <MODULE module-name|ACLCAT category|PATTERN pattern>]",
            summary="Names commands.",
            complexity=_MANY,
            tips="nondeterministic_output_order",
        ),
        run=run_command,
        acl="@slow @connection",
        since="2.8.13",
        group="server",
        summary="Describes every command.",
        complexity=_MANY,
        tips="nondeterministic_output_order",
    ),
)
