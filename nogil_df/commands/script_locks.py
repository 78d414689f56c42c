"""What a script locks: its KEYS if reading it proves that it touches nothing else, everything otherwise.

`nogil_df.scripting.declared` says what a script calls; here is said which arguments of these commands are
keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nogil_df.base.errors import ReplyError
from nogil_df.commands.script_call import MAY_REPLICATE
from nogil_df.commands.spec import KEYS, LOCAL, MULTI, Command
from nogil_df.scripting.declared import KEY, MORE, MORE_KEYS, ONE, Call, calls_of, defines_no_functions

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import CommandTable

_KEY = b"\1"
_DUMMIES = (b"\0", b"STORE")
"""What arguments that are not known might be: nothing special, or the word before a key."""


class Verdict(NamedTuple):
    """What a script may do at the most.

    Attributes:
        declared: it touches no keys but those in KEYS.
        writes: it may call commands that write.
        suspends: it calls commands from nowhere but its own first level, so that it can wait for one and let
            others run: Lua can't suspend what runs inside of a function that is not Lua's.
    """

    declared: bool
    writes: bool
    suspends: bool = False


def verdict_of(code: bytes, commands: CommandTable) -> Verdict:
    """Read a script. O(text)."""
    calls = calls_of(code)
    if calls is None:
        return Verdict(declared=False, writes=True)
    declared, writes = True, False
    for call in calls:
        if not _is_plain(call, commands):
            return Verdict(declared=False, writes=True)
        command = _command(call, commands)
        if command is None:
            # It will be an error, and touch nothing.
            continue
        # What replicas would have to be told counts: scripts that only read may not call it.
        writes = writes or command.is_write or command.name in MAY_REPLICATE
        declared = declared and _keys_are_declared(call, command)
    return Verdict(declared, writes, defines_no_functions(code))


def _is_plain(call: Call, commands: CommandTable) -> bool:
    """Whether the call tells which command it runs: the subcommand too, if there are any."""
    command: Any = commands[_name(call)] if call.arguments else None
    if command is None or not command.subcommands or len(call.arguments) + call.tail == 1:
        return True
    return len(call.arguments) > 1 and isinstance(call.arguments[1], bytes)


def _command(call: Call, commands: CommandTable) -> Command | None:
    """What a plain call runs; None if there is no such command."""
    command: Any = commands[_name(call)] if call.arguments else None
    if command is None or not command.subcommands or len(call.arguments) == 1:
        return command  # type: ignore[no-any-return]
    child = call.arguments[1]
    assert isinstance(child, bytes)
    return command.subcommands.get(child.upper())  # type: ignore[no-any-return]


def _name(call: Call) -> bytes:
    name = call.arguments[0]
    assert isinstance(name, bytes)
    return name


def _keys_are_declared(call: Call, command: Command) -> bool:
    """Whether every key that the call can name is in KEYS."""
    if command.kind == LOCAL:
        return True
    if command.kind == MULTI and (command.row.scope != KEYS or command.row.lock_in_exec is not None):
        # It may lock more than the keys that it names.
        return False
    if command.row.find_keys is not None:
        return all(_found_keys_are_declared(call, command, dummy) for dummy in _DUMMIES)
    if not command.first_key:
        return False
    return _fixed_keys_are_declared(call, command)


def _fixed_keys_are_declared(call: Call, command: Command) -> bool:
    arguments, count = call.arguments, len(call.arguments)
    if call.tail == MORE and (command.last_key < 0 or command.last_key >= count):
        return False
    if call.tail == MORE_KEYS and command.last_key < -1:
        return False
    last = command.last_key if command.last_key >= 0 else count + command.last_key
    if call.tail == MORE_KEYS:
        last = min(last, count - 1) if command.last_key >= 0 else count - 1
    # Too few arguments are an error, and touch nothing.
    return all(
        arguments[at] is KEY for at in range(command.first_key, min(last + 1, count), command.key_step)
    )


def _found_keys_are_declared(call: Call, command: Command, dummy: bytes) -> bool:
    """`_keys_are_declared` if the arguments that are not known were ``dummy``."""
    if call.tail != ONE:
        return False
    args = [
        _KEY if value is KEY else value if isinstance(value, bytes) else dummy for value in call.arguments
    ]
    try:
        return all(call.arguments[at] is KEY for at in command.key_indexes(args))
    except (ReplyError, IndexError, ValueError):
        return False
