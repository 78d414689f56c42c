"""One thread's Lua: a sandboxed runtime that compiles scripts and runs them.

lupa (PUC Lua 5.1) does the work. What is made of it here:

- **One runtime a thread**, made by that thread with its first script, and for good: making one costs
  milliseconds, and Python functions handed to Lua over and over would leak (each becomes a Lua object that
  its Python owner never forgets). So the functions that scripts can reach are handed over once, in
  `__init__`, and what differs from call to call is looked up in ``running``.
- **No Python object ever reaches a script.** What is handed over is wrapped in Lua functions
  (``lua/sandbox.lua``); the functions here raise nothing, as lupa would hand the exception to the script.
  Attribute access from Lua is refused on top of that, and lupa's own table ``python`` is gone with all other
  globals.
- **Memory.** The allocator refuses past a hard limit. A Lua allocation that fails unwinds the C stack by a
  long jump, which must never cross Python frames, so Python hands nothing over unless there is room: a script
  that comes near the limit is stopped in Lua (``soft_limit``), and the margin between the two is for what
  Python pushes.
- **Time.** A hook looks at the clock every 100,000 instructions; ``running.on_tick`` decides what becomes of
  the script. Once it said stop, the hook fails on every line, so a script can't catch its end.

Runs nest: while a script waits for another shard, this thread may be asked to run one for somebody else.

Importing lupa turns the GIL of a free-threaded interpreter on, unless that is forced off; see `is_available`.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, Final, Protocol

from nogil_df.base import log
from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError, text
from nogil_df.base.interpreter import may_import
from nogil_df.base.numbers import format_double
from nogil_df.base.version import REDIS_VERSION
from nogil_df.scripting.binary import STRUCT, pack_float, unpack_float
from nogil_df.scripting.bit import BIT
from nogil_df.scripting.tokens import without_tail_calls
from nogil_df.scripting.values import ERROR, Converter
from nogil_df.wire.values import OK, Raw, Simple

MARGIN: Final = 64 << 20
"""Bytes between the limit at which scripts are stopped and the one at which the allocator refuses."""

MOST_ARGUMENTS: Final = 4000
"""Keys and arguments handed over in one call."""

BIG: Final = 64 << 10
"""Bytes from which on a value is handed to Lua only after a look at how much room there is."""

RESP, FAILURE, WAIT = 3, 4, 5
"""Kinds of a script's result beside `STATUS` and ``ERROR``; the last one: it is suspended."""

WAIT_FOR_IT: Final = (None, WAIT)
"""What the function under `redis.call` returns if the answer comes later."""

LEVELS: Final = (log.debug, log.verbose, log.notice, log.warning)


class ScriptFailure(Exception):
    """A script ended in an error.

    Attributes:
        text: the error's text, prefix included: ``b"ERR user_script:1: ..."``.
        source, line: where it happened: ``b"@user_script"`` and 1; None if that is not known.
        counted: the error came from a command, which has counted it already.
    """

    def __init__(self, text: bytes, source: bytes | None, line: int | None, counted: bool) -> None:
        super().__init__(text)
        self.text = text
        self.source = source
        self.line = line
        self.counted = counted


class CompileError(Exception):
    """A script is no Lua; the argument is Lua's text."""


class WAITING:
    """What `Running.call` returns if the answer comes later; only for scripts that may be suspended."""


def is_waiting(result: Any) -> bool:
    """Whether a script is suspended; else `plain_reply` tells what it returned. O(1)."""
    return result.__class__ is tuple and result[0] == WAIT


class Running(Protocol):
    """One run of a script, as the runtime sees it."""

    def call(self, args: list[bytes]) -> Any:
        """Run a command. Returns its reply value, or an error as a ReplyError; may raise ReplyError."""

    def acl_check(self, args: list[bytes]) -> bool:
        """Whether the user may run a command. May raise ReplyError."""

    def set_protocol(self, protocol: int) -> None:
        """The script wants replies in this version of RESP. Must not raise."""

    def on_tick(self) -> bool:
        """Called every so many instructions. True ends the script."""


def is_available() -> bool:
    """Whether scripts can run: lupa is installed, and importing it leaves the GIL as it is."""
    if "lupa.lua51" in sys.modules:
        return True
    if not may_import("lupa.lua51"):
        return False
    try:
        import lupa.lua51  # noqa: F401
    except ImportError:
        return False
    return True


class Runtime:
    """The Lua of one thread.

    Args:
        memory_limit: bytes that scripts may hold together; 0 for no limit.
        make_invoke: wraps the function under `redis.call`, given this runtime and that function; what it
            makes must not raise either.

    Attributes:
        running: whose script runs now; None between scripts.
        protocol: the RESP version whose values the running script wants.
        enter: ``enter(function, client, count, *values)`` runs a script as `run` does, the first ``count`` of
            the values being keys, and returns what `plain_reply` takes. For callers that set ``running`` and
            ``protocol`` themselves and give it no more than MOST_ARGUMENTS.
        begin: ``begin(id, function, client, count, *values)`` is the same for a script that may be suspended.
            Where ``running.call`` returned `WAITING` it comes back with what `is_waiting` knows, and
            ``proceed(id, *answer)`` runs it on with an answer of `answer_of`.
    """

    __slots__ = (
        "_call",
        "_call_with",
        "_compile",
        "_convert",
        "_functions",
        "_lua",
        "_memory",
        "_run",
        "_run_with",
        "begin",
        "convert",
        "enter",
        "limit",
        "proceed",
        "protocol",
        "running",
    )

    def __init__(
        self,
        memory_limit: int = 0,
        make_invoke: Callable[[Runtime, Callable[..., Any]], Callable[..., Any]] | None = None,
    ) -> None:
        from lupa.lua51 import LuaRuntime

        self.limit = memory_limit
        self.running: Running | None = None
        self.protocol = 2
        self._lua = LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_refuse_attribute,
            max_memory=memory_limit + MARGIN if memory_limit else None,
        )
        host = self._lua.table_from(self._host(make_invoke))
        # Named, so that the sandbox can tell its own functions from a script's.
        functions = self._lua.execute(b"return loadstring(...)", _source("sandbox"), b"=sandbox")(host)
        self._functions = functions
        self.convert = Converter(functions)
        self._convert = self.convert.result
        self._compile = functions[b"compile"]
        self._call = functions[b"call"]
        self._call_with = functions[b"call_with"]
        self.begin = functions[b"begin"]
        self.proceed = functions[b"proceed"]
        self.enter = self._run = functions[b"run"]
        self._run_with = functions[b"run_with"]
        self._memory = functions[b"memory"]
        self._add_libraries()

    def _add_libraries(self) -> None:
        """Add the libraries that Redis has and Lua has not."""
        add = self._functions[b"add_library"]
        host = self._lua.table_from(
            {**BIT, **STRUCT, b"pack_float": pack_float, b"unpack_float": unpack_float}
        )
        for name in ("cjson", "cmsgpack"):
            add(name.encode(), self.load_library(name, host))
        bit, struct = self.load_library("bytes", host)
        add(b"bit", bit)
        add(b"struct", struct)

    def _host(self, make_invoke: Any) -> dict[bytes, Any]:
        """What the Lua side is given. None of these may raise."""
        invoke = self._make_invoke()
        major, minor, patch = map(int, REDIS_VERSION.split("."))
        limit = self.limit or 1 << 50
        return {
            b"invoke": invoke if make_invoke is None else make_invoke(self, invoke),
            b"acl_check": self._acl_check,
            b"sha1hex": _sha1hex,
            b"log": _log,
            b"tick": self._tick,
            b"set_protocol": self._set_protocol,
            b"format_double": _format_double,
            b"replies": _source("replies"),
            b"soft_limit": limit / 1024,
            b"version": REDIS_VERSION.encode(),
            b"version_number": major << 16 | minor << 8 | patch,
        }

    def load_library(self, name: str, *args: Any) -> Any:
        """Run one of our own Lua files, ``lua/<name>.lua``, with the sandbox's functions and ``args``.

        For what is built on the sandbox. Python functions among ``args`` must not raise, and the Lua file
        must not hand them on to scripts. Returns what the file returns. To be called once for each file.
        """
        return self._functions[b"load_own"](_source(name))(self._functions, *args)

    def compile(self, code: bytes, name: bytes = b"@user_script", environment: Any = None) -> Any:
        """Make a Lua function of a script's text.

        Args:
            name: of the code in error messages, after an ``@``.
            environment: the world it sees, made by ``new_environment``; that of scripts if None.

        Returns:
            A function for `run`.

        Raises:
            CompileError: with Lua's text. O(text).
        """
        self._make_room(3 * len(code))
        made = self._compile(code, name, environment)
        if made.__class__ is tuple:
            raise CompileError(made[1])
        changed = without_tail_calls(code)
        return made if changed is code else self._compile(changed, name, environment)

    def run(
        self, function: Any, running: Running, client: int, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> Any:
        """Run a compiled script.

        Args:
            function: of `compile`.
            running: what the script's calls go to.
            client: the RESP version of the client, which the reply is for.
            keys, arguments: what becomes KEYS and ARGV.

        Returns:
            A reply value. Tables come encoded already, as `Raw`.

        Raises:
            ScriptFailure: the script ended in an error.
        """
        return self._enter(self._run, self._run_with, function, running, client, keys, arguments)

    def call(
        self, function: Any, running: Running, client: int, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> Any:
        """`run` for a Lua function that takes keys and arguments as two lists, and sees no KEYS or ARGV."""
        return self._enter(self._call, self._call_with, function, running, client, keys, arguments)

    def _enter(
        self,
        enter: Callable[..., Any],
        enter_with: Callable[..., Any],
        function: Any,
        running: Running,
        client: int,
        keys: Sequence[bytes],
        arguments: Sequence[bytes],
    ) -> Any:
        outer, outer_protocol = self.running, self.protocol
        self.running, self.protocol = running, 2
        try:
            if len(keys) + len(arguments) <= MOST_ARGUMENTS:
                result = enter(function, client, len(keys), *keys, *arguments)
            else:
                self._make_room(sum(map(len, keys)) + sum(map(len, arguments)))
                listed = self.convert.array
                result = enter_with(function, client, listed(keys, 2), listed(arguments, 2))
        finally:
            self.running, self.protocol = outer, outer_protocol
        return plain_reply(result)

    @property
    def memory(self) -> int:
        """Bytes that Lua holds. O(1)."""
        return int(self._memory())

    def collect(self) -> None:
        """Run Lua's garbage collector to the end. O(everything that Lua holds)."""
        self._functions[b"collect"]()

    def answer_of(self, value: Any) -> tuple[Any, ...]:
        """A reply value as ``proceed`` takes it. O(size)."""
        try:
            if value.__class__ is bytes and len(value) > BIG:
                self._make_room(len(value))
            made = self._convert(value, self.protocol)
        except ScriptFailure as failure:
            return None, ERROR, failure.text, False
        except BaseException:
            return None, ERROR, text(log_crash("redis.call", sys.exc_info())), False
        return made if made.__class__ is tuple else (made,)

    def handed(self, value: Any) -> Any:
        """A reply value under RESP2, as `redis.call` hands it to Lua. O(size).

        Raises:
            ScriptFailure: there is no room for it.
        """
        if value.__class__ is bytes and len(value) > BIG:
            self._make_room(len(value))
        return self._convert(value, 2)

    def _make_room(self, size: int) -> None:
        """See that Python can push ``size`` bytes.

        Raises:
            ScriptFailure: it can't.
        """
        if not self.limit or size < BIG:
            return
        if self._lua.get_memory_used() + size > self.limit:
            self.collect()
            if self._lua.get_memory_used() + size > self.limit:
                raise ScriptFailure(b"ERR not enough memory", None, None, False)

    # What Lua calls.

    def _make_invoke(self) -> Callable[..., Any]:
        """The function under `redis.call`; a closure, as that is what costs least to call."""

        def invoke(*args: Any) -> Any:
            try:
                for arg in args:
                    if arg.__class__ is not bytes:
                        args = tuple(map(argument, args))
                        break
                running = self.running
                if not args or running is None:
                    return _NO_ARGUMENTS
                value = running.call(list(args))
                kind = value.__class__
                if value is WAITING:
                    return WAIT_FOR_IT
                if kind is bytes:
                    if len(value) > BIG:
                        self._make_room(len(value))
                    return value
                return value if kind is int else self._convert(value, self.protocol)
            except ReplyError as error:
                return None, ERROR, text(error), error.code not in _UNCOUNTED
            except ScriptFailure as failure:
                return None, ERROR, failure.text, False
            except BaseException:
                return None, ERROR, text(log_crash("redis.call", sys.exc_info())), False

        return invoke

    def _acl_check(self, *args: Any) -> Any:
        try:
            assert self.running is not None
            return self.running.acl_check([argument(arg) for arg in args])
        except ReplyError as error:
            return None, text(error).removeprefix(b"ERR ")
        except BaseException:
            return None, text(log_crash("redis.acl_check_cmd", sys.exc_info())).removeprefix(b"ERR ")

    def _tick(self) -> bool:
        try:
            return self.running is not None and self.running.on_tick()
        except BaseException:
            log_crash("a running script", sys.exc_info())
            return True

    def _set_protocol(self, protocol: int) -> None:
        self.protocol = protocol
        if self.running is not None:
            self.running.set_protocol(protocol)


def _source(name: str) -> bytes:
    """One of our own Lua files."""
    return (files("nogil_df.scripting") / "lua" / f"{name}.lua").read_bytes()


_NO_ARGUMENTS = (None, ERROR, b"ERR Please specify at least one argument for this redis lib call", False)
_UNCOUNTED = frozenset(["SCRIPT_ARGUMENTS"])


def argument(value: Any) -> bytes:
    """An argument of `redis.call` as bytes, a number with up to 17 digits.

    Raises:
        ReplyError: it is neither a string nor a number.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % value if -(1 << 53) < value < 1 << 53 else format_double(float(value))
    if isinstance(value, float):
        return format_double(value)
    raise ReplyError("SCRIPT_ARGUMENTS")


def truncate(number: float) -> int:
    """A Lua number as the integer of a reply: towards zero; the least one for what 64 bits can't hold."""
    if -9.3e18 < number < 9.3e18:
        whole = int(number)
        if -(1 << 63) <= whole < 1 << 63:
            return whole
    return -(1 << 63)


def plain_reply(result: Any) -> Any:
    """The reply value of what the sandbox returned; see `Runtime.run`."""
    kind = result.__class__
    if kind is tuple:
        return _reply_of(result)
    if kind is bool:
        return 1 if result else None
    return truncate(result) if kind is float else result


def _reply_of(result: tuple[Any, ...]) -> Any:
    kind = result[0]
    if kind == RESP:
        return Raw(result[1])
    if kind == FAILURE:
        failure = (*result, None, None, None, False)[1:5]
        raise ScriptFailure(failure[0], failure[1], failure[2], bool(failure[3]))
    if kind == ERROR:
        # As the script words it, in one line and with no more than one sign in front.
        raise ScriptFailure(result[1].removeprefix(b"-"), None, None, bool(result[2]))
    return OK if result[1] == b"OK" else Simple(result[1])


def _refuse_attribute(owner: object, name: object, setting: bool) -> str:
    raise AttributeError("no attributes")


def _format_double(number: float) -> bytes:
    return format_double(float(number))


def _sha1hex(data: Any) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest().encode()


def _log(level: int, message: bytes) -> None:
    try:
        LEVELS[level](message.decode("utf-8", "backslashreplace"))
    except BaseException:
        os.write(2, b"a script's message could not be logged\n")
