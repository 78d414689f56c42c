"""Libraries of one thread: what changes them, what is proved about their functions, payloads, memory."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.base.crc64 import crc64
from nogil_df.base.errors import ReplyError
from nogil_df.scripting import library
from nogil_df.scripting.callbacks import bodies_of
from nogil_df.scripting.declared import KEY, calls_of
from nogil_df.scripting.library import Libraries, LibraryError, dump, read_dump, read_metadata
from nogil_df.scripting.runtime import Runtime, ScriptFailure


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    """A Lua runtime."""
    return Runtime(1 << 28)


@pytest.fixture
def libraries(runtime: Runtime) -> Iterator[Libraries]:
    """Libraries, none yet."""
    made = Libraries(runtime, time.perf_counter_ns, lambda library: None)
    yield made
    made.flush()


def code(name: bytes, *functions: bytes, more: bytes = b"") -> bytes:
    """A library whose functions return their names."""
    lines = [b"redis.register_function('%b', function() return '%b' end)" % (one, one) for one in functions]
    return b"\n".join([b"#!lua name=%b" % name, *lines, more])


def add(libraries: Libraries, text: bytes, *, replace: bool = False) -> None:
    """Load and commit."""
    libraries.prepare_load(text, replace)
    libraries.commit()


def call(runtime: Runtime, libraries: Libraries, name: bytes, *arguments: bytes) -> object:
    """Call a function that calls nothing."""
    function = libraries.find(name)
    assert function is not None
    return runtime.call(function.callback, None, 2, (), arguments)  # type: ignore[arg-type]


def test_prepared_is_not_there_yet(runtime: Runtime, libraries: Libraries) -> None:
    add(libraries, code(b"x", b"f"))
    assert libraries.prepare_load(code(b"x", b"g"), True) == b"x"
    assert libraries.find(b"g") is None
    assert call(runtime, libraries, b"f") == b"f"
    assert libraries.epoch == 1
    libraries.abandon()
    assert call(runtime, libraries, b"f") == b"f"
    libraries.prepare_load(code(b"x", b"g"), True)
    libraries.commit()
    assert libraries.find(b"f") is None
    assert call(runtime, libraries, b"G") == b"g"
    assert libraries.epoch == 2


@pytest.mark.parametrize(
    "broken",
    [
        b"#!lua name=x\n",
        b"#!lua name=x\nfoo bar",
        code(b"x", b"g", more=b"foo()"),
        code(b"x", b"g", b"F2"),
        code(b"y", b"f1"),
        b"no library",
    ],
)
def test_what_fails_changes_nothing(runtime: Runtime, libraries: Libraries, broken: bytes) -> None:
    add(libraries, code(b"x", b"f1"))
    add(libraries, code(b"z", b"f2"))
    with pytest.raises(LibraryError):
        libraries.prepare_load(broken, True)
    with pytest.raises(LibraryError):
        libraries.prepare_restore([code(b"new", b"n"), broken], library.REPLACE)
    assert list(libraries.by_name) == [b"x", b"z"]
    assert [call(runtime, libraries, name) for name in (b"f1", b"f2")] == [b"f1", b"f2"]
    assert libraries.epoch == 2


def test_restore_policies(libraries: Libraries) -> None:
    add(libraries, code(b"x", b"f"))
    add(libraries, code(b"y", b"g"))
    fresh = [code(b"x", b"h")]
    with pytest.raises(LibraryError, match="Library x already exists"):
        libraries.prepare_restore(fresh, library.APPEND)
    libraries.prepare_restore(fresh, library.REPLACE)
    libraries.commit()
    assert sorted(libraries.functions) == [b"g", b"h"]
    libraries.prepare_restore(fresh, library.FLUSH)
    libraries.commit()
    assert sorted(libraries.functions) == [b"h"]
    libraries.delete(b"x")
    assert not libraries
    with pytest.raises(LibraryError, match="Library not found"):
        libraries.delete(b"x")


def test_names_differ_by_more_than_case(libraries: Libraries) -> None:
    with pytest.raises(LibraryError, match="Function already exists in the library"):
        libraries.prepare_load(code(b"x", b"f", b"F"), False)


def test_loading_does_not_take_for_ever(runtime: Runtime) -> None:
    # A clock that moves whenever somebody looks: the code is ended at the first look.
    seconds = iter(range(1000))
    libraries = Libraries(runtime, lambda: next(seconds) * 10**9, lambda library: None)
    for endless in (b"while true do end", b"local function f() return f() end f()"):
        with pytest.raises(LibraryError, match="Error registering functions: ERR FUNCTION LOAD timeout"):
            libraries.prepare_load(b"#!lua name=x\n" + endless, False)
        # Nothing of that is left for the next one.
        add(libraries, code(b"y", b"f"), replace=True)
        assert call(runtime, libraries, b"f") == b"f"


def test_a_library_keeps_to_itself(runtime: Runtime, libraries: Libraries) -> None:
    counting = b"""#!lua name=%b
    local n = 0
    redis.register_function('%b', function() n = n + 1 return n end)"""
    add(libraries, counting % (b"x", b"f"))
    add(libraries, counting % (b"y", b"g"))
    assert [call(runtime, libraries, name) for name in (b"f", b"f", b"g", b"f")] == [1, 2, 1, 3]
    escapes = [
        b"_G.x = 1",
        b"rawset(_G, 'x', 1)",
        b"setmetatable(_G, {})",
        b"getmetatable(_G).__index = {}",
        b"redis.call = nil",
        b"rawset(redis, 'call', 1)",
        b"string.len = nil",
        b"redis.register_function('z', function() end)",
        b"KEYS = {}",
    ]
    for number, escape in enumerate(escapes):
        text = b"#!lua name=e%d\nredis.register_function('e%d', function() %b end)" % (number, number, escape)
        add(libraries, text)
        with pytest.raises(ScriptFailure):
            call(runtime, libraries, b"e%d" % number)


def test_memory_is_given_back(runtime: Runtime, libraries: Libraries) -> None:
    text = b"""#!lua name=x
    local big = ('x'):rep(1000)
    redis.register_function('f', function() return big end)"""
    broken = text + b"\nfoo()"

    def turn(times: int) -> int:
        for _ in range(times):
            add(libraries, text, replace=True)
            with pytest.raises(LibraryError):
                libraries.prepare_load(broken, True)
        runtime.collect()
        return runtime.memory

    before = turn(50)
    assert turn(500) < before + 20_000


# First lines.


def test_metadata() -> None:
    assert read_metadata(b"#!lua name=x\n") == (b"x", 12)
    assert read_metadata(b"#!LUA  NAME='x_1'\t\r\nmore\n") == (b"x_1", 19)


@given(st.binary(max_size=40))
def test_any_first_line_is_read_or_refused(line: bytes) -> None:
    try:
        assert read_metadata(b"#!lua " + line + b"\n").name
    except LibraryError:
        return


# Payloads.


@given(st.lists(st.binary(max_size=100)))
def test_payloads_return_what_was_put_in(codes: list[bytes]) -> None:
    assert read_dump(dump(codes)) == codes


def test_a_payload_of_redis() -> None:
    # FUNCTION DUMP of redis-server 7.0.15; for compressed ones see tests/differential/test_function_dump.py.
    text = b"#!lua name=big\nredis.register_function('big',function() end)"
    plain = b"\xf5<" + text + b"\n\x00\x98\xbe\xf7\xa5\xd8\xff\xfc\xcc"
    assert read_dump(plain) == [text]
    assert dump(read_dump(plain)) == plain
    assert dump([]) == b"\n\x00]\x9b\\@\x0f\x7f\xa2\xda"


@given(st.binary(max_size=60))
def test_damaged_payloads_are_refused(body: bytes) -> None:
    body += b"\x0a\0"
    try:
        read_dump(body + crc64(body).to_bytes(8, "little"))
    except (LibraryError, ReplyError):
        return
    assert body == b"\x0a\0" or body[0] == library.FUNCTION2


# What is proved about keys: `declared` judges the text, so here only that nothing is judged that must not be.


def proved(text: bytes) -> list[bytes]:
    """Functions whose calls name nothing but keys that they are given."""
    found = []
    for name, body in bodies_of(text).items():
        calls = calls_of(body)
        if calls is not None and all(argument is KEY for call in calls for argument in call.arguments[1:]):
            found.append(name)
    return found


GET = b"return redis.call('get', keys[1])"


@pytest.mark.parametrize(
    "form",
    [
        b"redis.register_function('f', function(keys, args) %b end)",
        b"redis.register_function('f', function(keys) %b end)",
        b"redis.register_function{function_name='f', callback=function(keys, args) %b end}",
        b"redis.register_function({callback=function(keys) %b end; flags={'no-writes'}, function_name='f',})",
        b"local function g(keys, args) %b end redis.register_function('f', g)",
        b"local g = function(keys) %b end redis.register_function{function_name='f', callback=g}",
        b"local n = 0 redis.register_function('f', function(keys) n = n + 1 %b end)",
        b"local function other(x) return x end redis.register_function('f', function(keys) %b end)",
        b"if true then redis.register_function('f', function(keys) repeat local k = 1 until k; %b end) end",
    ],
)
def test_these_forms_are_judged(form: bytes) -> None:
    text = b"#!lua name=x\n" + form % GET
    assert proved(text) == [b"f"]
    (body,) = bodies_of(text).values()
    calls = calls_of(body)
    assert calls is not None
    assert [call.arguments for call in calls] == [[b"get", True]]


@pytest.mark.parametrize(
    "text",
    [
        # Somebody else calls it, or puts it elsewhere.
        b"local function g(keys) @ end redis.register_function('f', g) local function h() g({'x'}) end",
        b"local function g(keys) @ end local h = g redis.register_function('f', g)",
        b"local function g(keys) @ end redis.register_function('f', g) redis.register_function('h', "
        b"function() return g({'x'}) end)",
        # Not the function it seems to be.
        b"local function g(keys) @ end g = function() end redis.register_function('f', g)",
        b"local g = function(keys) @ end or 1 redis.register_function('f', g)",
        b"local g = function(keys) @ end (1) redis.register_function('f', g)",
        b"redis.register_function('f', (function(keys) @ end))",
        b"redis.register_function('f', h(function(keys) @ end))",
        b"redis.register_function('f', function(keys) @ end, 1)",
        b"redis.register_function{function_name='f', callback=function(keys) @ end, [1]=2}",
        b"local r = redis.register_function r('f', function(keys) @ end)",
        b"local redis = {register_function = 1} redis.register_function('f', function(keys) @ end)",
        # The keys are changed, kept, or are something else.
        b"redis.register_function('f', function(keys) keys = {'x'} @ end)",
        b"redis.register_function('f', function(keys) keys[1] = 'x' @ end)",
        b"redis.register_function('f', function(keys) local keys = {} @ end)",
        b"redis.register_function('f', function(keys) local all = keys @ end)",
        b"redis.register_function('f', function(keys) helper(keys) @ end)",
        b"redis.register_function('f', function(keys, keys) @ end)",
        b"redis.register_function('f', function(a, KEYS) return redis.call('get', KEYS[1]) end)",
        b"redis.register_function('f', function(keys) local g = function() @ end return g() end)",
        # Calls that can't be told.
        b"local r = redis redis.register_function('f', function(keys) @ end)",
        b"redis.register_function('f', function(keys) local c = redis.call @ end)",
        b"redis.register_function('f', function(keys) loadstring('x')() @ end)",
    ],
)
def test_these_are_not(text: bytes) -> None:
    assert proved(b"#!lua name=x\n" + text.replace(b"@", GET)) == []


def test_a_second_parameter_is_no_key() -> None:
    text = (
        b"#!lua name=x\nredis.register_function('f', function(keys, args)"
        b" redis.call('get', args) local args = keys[1] end)"
    )
    (body,) = bodies_of(text).values()
    calls = calls_of(body)
    assert calls is not None
    assert [call.arguments for call in calls] == [[b"get", None]]
