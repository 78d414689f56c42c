"""Libraries of functions: what one thread knows of them, and how they change.

A library is Lua code behind a first line ``#!lua name=<library>``. The code is run once, and registers
functions with `redis.register_function`; nothing else is allowed to it then (see ``lua/functions.lua``).

Every thread has all libraries, in its own runtime. Changes have two steps, so that all threads make them or
none does: `Libraries.prepare` runs the new code and finds everything that may be wrong, beside what is there;
`Libraries.commit` puts it in place and can't fail. Threads that made the same changes have the same
``epoch``.

Names of functions are looked up without regard to case, as in Redis; names of libraries are not. Two
functions that differ in case alone are therefore one name, also inside a library (redis-server 7.0 accepts
these, and crashes when the library is deleted).

Also here: the payload of FUNCTION DUMP, which is Redis's: for each library the RDB opcode FUNCTION2 and its
code as an RDB string; at the end the RDB version (16 bits) and the CRC-64 of all that, little-endian.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from nogil_df.base.crc64 import crc64
from nogil_df.base.errors import ReplyError
from nogil_df.base.quoting import split_line
from nogil_df.base.rdb_strings import RdbError, Reader, write_string
from nogil_df.scripting.runtime import CompileError, Runtime, ScriptFailure

FLAGS: Final = (b"no-writes", b"allow-oom", b"allow-stale", b"no-cluster", b"allow-cross-slot-keys")
"""What a function may declare, in the order in which it is shown."""

LOAD_TIMEOUT: Final = 500_000_000
"""Nanoseconds that the code of a library may run when it is loaded; Redis's figure."""

FUNCTION2: Final = 0xF5
RDB_VERSION: Final = 10
"""That of redis-server 7.0, where functions came; written."""
NEWEST_RDB_VERSION: Final = 12
"""That of Redis 8.0; read, as the payload is the same."""
FOOTER: Final = 10
"""Bytes of version and checksum."""

APPEND, REPLACE, FLUSH = range(3)

BAD_NAME: Final = (
    "Library names can only contain letters, numbers, or underscores(_) "
    "and must be at least one character long"
)
_NAME: Final = re.compile(rb"[A-Za-z0-9_]+\Z")


class LibraryError(Exception):
    """A library can't be loaded, restored or found; the argument is Redis's text."""


class Function:
    """One function of a library.

    Attributes:
        name: as it was registered.
        callback: the Lua function, of this thread's runtime.
        flags: what it declares, of FLAGS.
        description: what it says about itself.
        declared: it touches no keys but those it is given, which can be told by reading it.
        writes: it may call commands that write.
    """

    __slots__ = ("callback", "declared", "description", "flags", "name", "writes")

    def __init__(
        self, name: bytes, callback: Any, flags: tuple[bytes, ...], description: bytes | None
    ) -> None:
        self.name = name
        self.callback = callback
        self.flags = flags
        self.description = description
        self.declared = False
        self.writes = b"no-writes" not in flags

    @property
    def no_writes(self) -> bool:
        """It promises not to write."""
        return b"no-writes" in self.flags


class Library:
    """One library.

    Attributes:
        name, code: the code with its first line.
        functions: in the order in which they were registered.
        handle: of its world in the runtime.
    """

    __slots__ = ("code", "functions", "handle", "name")

    def __init__(self, name: bytes, code: bytes, functions: list[Function], handle: Any) -> None:
        self.name = name
        self.code = code
        self.functions = functions
        self.handle = handle

    @property
    def size(self) -> int:
        """Bytes of its texts. O(functions)."""
        return (
            len(self.name)
            + len(self.code)
            + sum(len(function.name) + len(function.description or b"") for function in self.functions)
        )


class Metadata(NamedTuple):
    """The first line of a library: its name, and its length without the line end."""

    name: bytes
    length: int


def read_metadata(code: bytes) -> Metadata:
    """Read the first line of a library. O(line).

    Raises:
        LibraryError: it is not as it has to be.
    """
    if not code.startswith(b"#!"):
        raise LibraryError("Missing library metadata")
    end = code.find(b"\n")
    # Redis takes a NUL for the end of the text.
    words = split_line(code[:end]) if end >= 0 and b"\0" not in code[:end] else None
    if words is None:
        raise LibraryError("Invalid library metadata")
    name: bytes | None = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise LibraryError(f"Invalid metadata value given: {_shown(word)}")
        if name is not None:
            raise LibraryError("Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise LibraryError("Library name was not given")
    if not _NAME.match(name):
        raise LibraryError(BAD_NAME)
    engine = words[0][2:]
    if engine.lower() != b"lua":
        raise LibraryError(f"Engine '{_shown(engine)}' not found")
    return Metadata(name, end)


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


class Loading:
    """The run of a library's code, as the runtime sees it: it may call nothing, and not take long.

    Args:
        stopwatch: the time in nanoseconds.
    """

    __slots__ = ("_deadline", "_stopwatch", "late")

    def __init__(self, stopwatch: Callable[[], int]) -> None:
        self._stopwatch = stopwatch
        self._deadline = stopwatch() + LOAD_TIMEOUT
        self.late = False

    def call(self, args: list[bytes]) -> Any:
        """Refused; the code does not even see `redis.call`."""
        raise ReplyError("NOT_FROM_SCRIPT")

    def acl_check(self, args: list[bytes]) -> bool:
        """Refused."""
        raise ReplyError("NOT_FROM_SCRIPT")

    def set_protocol(self, protocol: int) -> None:
        """Nothing is replied."""

    def on_tick(self) -> bool:
        """Whether it took too long."""
        self.late = self.late or self._stopwatch() > self._deadline
        return self.late


class Libraries:
    """The libraries of one thread. See the module's text.

    Args:
        runtime: the thread's Lua.
        stopwatch: the time in nanoseconds.
        judge: called with each new library; sets what it finds out about the functions' locks.

    Attributes:
        by_name: the libraries.
        functions: all functions, by name in lower case.
        epoch: the number of changes so far.

    Invariant: ``functions`` are those of the libraries in ``by_name``.
    """

    __slots__ = (
        "_close",
        "_drop",
        "_judge",
        "_loader",
        "_next",
        "_open",
        "_registered",
        "_runtime",
        "_stopwatch",
        "by_name",
        "epoch",
        "functions",
    )

    def __init__(
        self, runtime: Runtime, stopwatch: Callable[[], int], judge: Callable[[Library], None]
    ) -> None:
        lua = runtime.load_library("functions", b",".join(FLAGS))
        self._open = lua[b"open"]
        self._loader = lua[b"loader"]
        self._close = lua[b"close"]
        self._registered = lua[b"registered"]
        self._drop = lua[b"drop"]
        self._runtime = runtime
        self._stopwatch = stopwatch
        self._judge = judge
        self.by_name: dict[bytes, Library] = {}
        self.functions: dict[bytes, Function] = {}
        self.epoch = 0
        self._next: dict[bytes, Library] | None = None

    def __len__(self) -> int:
        return len(self.by_name)

    @property
    def size(self) -> int:
        """Bytes of the libraries' texts. O(functions)."""
        return sum(library.size for library in self.by_name.values())

    def find(self, name: bytes) -> Function | None:
        """A function by its name. O(1)."""
        functions = self.functions
        if name in functions:
            return functions[name]
        name = name.lower()
        return functions[name] if name in functions else None

    # Changes.

    def prepare_load(self, code: bytes, replace: bool) -> bytes:
        """Get ready to add a library. O(code), and whatever running it takes.

        Args:
            replace: it may take the place of one that has its name.

        Returns:
            The library's name.

        Raises:
            LibraryError: it can't be added.
        """
        name = read_metadata(code).name
        kept = dict(self.by_name)
        if name in kept:
            if not replace:
                raise LibraryError(f"Library '{_shown(name)}' already exists")
            del kept[name]
        self._prepare(kept, {name: self._load(code)})
        return name

    def prepare_restore(self, codes: Sequence[bytes], policy: int) -> None:
        """Get ready to add the libraries of a payload.

        Args:
            policy: what becomes of those that are there: APPEND refuses equal names, REPLACE replaces
            libraries of
                equal names, FLUSH drops all.

        Raises:
            LibraryError: they can't be added.
        """
        fresh: dict[bytes, Library] = {}
        kept = {} if policy == FLUSH else dict(self.by_name)
        try:
            for code in codes:
                name = read_metadata(code).name
                if name in fresh:
                    raise LibraryError(f"Library '{_shown(name)}' already exists")
                fresh[name] = self._load(code)
            for name in fresh:
                if name in kept:
                    if policy != REPLACE:
                        raise LibraryError(f"Library {_shown(name)} already exists")
                    del kept[name]
        except LibraryError:
            self._drop_all(fresh.values())
            raise
        self._prepare(kept, fresh)

    def commit(self) -> None:
        """Make the change that was prepared. O(functions)."""
        assert self._next is not None
        self._become(self._next)
        self._next = None

    def abandon(self) -> None:
        """Forget the change that was prepared, if there is one. O(libraries)."""
        if self._next is not None:
            current = self.by_name
            self._drop_all(
                library for name, library in self._next.items() if current.get(name) is not library
            )
            self._next = None

    def delete(self, name: bytes) -> None:
        """Delete a library. Raises LibraryError if there is none. O(functions)."""
        if name not in self.by_name:
            raise LibraryError("Library not found")
        self._become({key: library for key, library in self.by_name.items() if key != name})

    def flush(self) -> None:
        """Delete all libraries. O(functions)."""
        self._become({})

    def _prepare(self, kept: dict[bytes, Library], fresh: dict[bytes, Library]) -> None:
        taken = {function.name.lower() for library in kept.values() for function in library.functions}
        for library in fresh.values():
            for function in library.functions:
                if function.name.lower() in taken:
                    self._drop_all(fresh.values())
                    raise LibraryError(f"Function {_shown(function.name)} already exists")
                taken.add(function.name.lower())
        self.abandon()
        self._next = {**kept, **fresh}

    def _become(self, libraries: dict[bytes, Library]) -> None:
        current = self.by_name
        gone = [library for name, library in current.items() if libraries.get(name) is not library]
        self.by_name = libraries
        self.functions = {
            function.name.lower(): function
            for library in libraries.values()
            for function in library.functions
        }
        self.epoch += 1
        self._drop_all(gone)

    def _drop_all(self, libraries: Iterable[Library]) -> None:
        for library in libraries:
            self._drop(library.handle)

    def _load(self, code: bytes) -> Library:
        """Make a library of its code. Raises LibraryError."""
        name, length = read_metadata(code)
        environment, handle = self._open()
        count = 0
        try:
            count = self._run(environment, handle, code[length:])
            if not count:
                raise LibraryError("No functions registered")
        finally:
            if not count:
                self._drop(handle)
        made = [self._function(handle, position) for position in range(1, count + 1)]
        library = Library(b"%b" % name, b"%b" % code, made, handle)
        self._judge(library)
        return library

    def _run(self, environment: Any, handle: Any, code: bytes) -> int:
        """Run a library's code. Returns how many functions it registered. Raises LibraryError."""
        runtime = self._runtime
        loading = Loading(self._stopwatch)
        try:
            chunk = runtime.compile(code, b"@user_function", environment)
            runtime.call(self._loader(handle, chunk), loading, 2, (), ())
        except CompileError as error:
            raise LibraryError(f"Error compiling function: {_shown(error.args[0])}") from None
        except ScriptFailure as failure:
            text = "ERR FUNCTION LOAD timeout" if loading.late else _shown(failure.text)
            raise LibraryError(f"Error registering functions: {text}") from None
        finally:
            count: int = self._close(handle)
        return count

    def _function(self, handle: Any, position: int) -> Function:
        name, callback, flags, *rest = self._registered(handle, position)
        return Function(name, callback, tuple(flags.split(b",")) if flags else (), rest[0] if rest else None)


# The payload of FUNCTION DUMP.


def dump(codes: Iterable[bytes]) -> bytes:
    """The payload of some libraries. O(codes)."""
    body = b"".join([bytes((FUNCTION2,)) + write_string(code) for code in codes])
    body += RDB_VERSION.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def read_dump(payload: bytes) -> list[bytes]:
    """The libraries of a payload. O(payload).

    Raises:
        ReplyError DUMP_PAYLOAD: it is damaged, or of a version that is not known.
        LibraryError: there is something else in it.
    """
    end = len(payload) - FOOTER
    if end < 0:
        raise ReplyError("DUMP_PAYLOAD")
    version = int.from_bytes(payload[end : end + 2], "little")
    checksum = int.from_bytes(payload[-8:], "little")
    if version > NEWEST_RDB_VERSION or crc64(memoryview(payload)[:-8]) != checksum:
        raise ReplyError("DUMP_PAYLOAD")
    reader = Reader(payload)
    codes = []
    try:
        while reader.at < end:
            if reader.byte() != FUNCTION2:
                raise LibraryError("given type is not a function")
            codes.append(reader.string())
    except RdbError:
        raise LibraryError("Failed loading library payload") from None
    return codes
