"""The sandbox: no way out, nothing left behind, limits on memory and time, and no memory kept."""

from __future__ import annotations

from typing import Any

import pytest

from nogil_df.base.errors import ReplyError
from nogil_df.scripting.runtime import CompileError, Runtime, ScriptFailure
from nogil_df.wire.values import OK, Raw


class Calls:
    """Answers what a script calls; ends it after so many looks at the clock."""

    def __init__(self, ticks: int = 1 << 60) -> None:
        self.ticks = ticks

    def call(self, args: list[bytes]) -> Any:
        if args[0] == b"fail":
            raise ReplyError("WRONGTYPE")
        if args[0] == b"crash":
            raise ValueError("a bug")
        return {b"ok": OK, b"list": [b"a", None, [1]], b"big": b"x" * (1 << 20)}.get(args[0], args[-1])

    def acl_check(self, args: list[bytes]) -> bool:
        return True

    def set_protocol(self, protocol: int) -> None:
        pass

    def on_tick(self) -> bool:
        self.ticks -= 1
        return self.ticks < 0


@pytest.fixture(scope="module")
def lua() -> Runtime:
    return Runtime(16 << 20)


def run(lua: Runtime, code: str | bytes, calls: Calls | None = None, *args: bytes) -> Any:
    """Run a script; a failure as its text."""
    text = code.encode("latin-1") if isinstance(code, str) else code
    try:
        reply = lua.run(lua.compile(text), calls or Calls(), 2, [b"k"], list(args))
    except ScriptFailure as failure:
        return failure.text
    return reply.data if isinstance(reply, Raw) else reply


GLOBALS = frozenset(
    "ARGV KEYS _G _VERSION assert bit cjson cmsgpack collectgarbage coroutine error gcinfo getmetatable "
    "ipairs loadstring math next os pairs pcall rawequal rawget rawset redis select setmetatable string "
    "struct table tonumber tostring type unpack xpcall load ".split()
)


def test_globals_are_those_of_redis(lua: Runtime) -> None:
    found = run(lua, "local t = {} for name in pairs(_G) do t[#t + 1] = name end return table.concat(t, ' ')")
    assert set(found.decode().split()) == GLOBALS


ESCAPES = [
    "return python",
    "return debug.getregistry()",
    "return io.open('/etc/passwd')",
    "return os.execute('id')",
    "return require('os')",
    "return package.loadlib('x', 'y')",
    "return loadfile('/etc/passwd')()",
    "return dofile('/etc/passwd')",
    "return newproxy(true)",
    "return getfenv(0)",
    "return setfenv(1, {})",
    "return loadstring(string.dump(function() return 1 end))()",
    "return load(function() return '\\27Lua' end)()",
    "return getmetatable('').__index.foo.bar",
    "return redis.call.x",
    "return getmetatable(redis.call).x",
    "local f = loadstring('return python') return f()",
    "local f = coroutine.wrap(function() return python end) return f()",
    "return module('x')",
    "return print('x')",
]


@pytest.mark.parametrize("code", ESCAPES)
def test_ways_out_are_closed(lua: Runtime, code: str) -> None:
    assert run(lua, code).startswith(b"ERR ")


REFLECTION = """
local seen, kinds = {}, {}
local function look(value)
  kinds[type(value)] = true
  if type(value) ~= "table" or seen[value] then return end
  seen[value] = true
  for key, item in pairs(value) do look(key) look(item) end
  look(getmetatable(value))
end
look(_G)
look(getmetatable(""))
look({pcall(redis.call, "crash")})
look({pcall(redis.call, {})})
look({pcall(redis.pcall, "crash")})
local names = {}
for kind in pairs(kinds) do names[#names + 1] = kind end
table.sort(names)
return table.concat(names, " ") .. " " .. tostring(cjson.null == cjson.decode("null"))
"""


def test_nothing_that_can_be_reached_is_a_python_object(lua: Runtime) -> None:
    """The only userdata is cjson's null."""
    assert run(lua, REFLECTION) == b"boolean function nil number string table userdata true"
    assert run(lua, "return tostring(getmetatable(cjson.null))") == b"nil"


CHANGES = [
    "x = 1",
    "_G.x = 1",
    "KEYS = {}",
    "redis = nil",
    "redis.call = nil",
    "string.format = nil",
    "cjson.encode = nil",
    "rawset(_G, 'x', 1)",
    "rawset(redis, 'call', 1)",
    "setmetatable(_G, {})",
    "setmetatable(redis, {})",
    "getmetatable('').__index = nil",
    "getmetatable(_G).__index = nil",
    "table.insert(redis, 1)",
    "table.insert(_G, 1, 1)",
]


@pytest.mark.parametrize("code", CHANGES)
def test_a_script_changes_nothing_for_the_next(lua: Runtime, code: str) -> None:
    assert b"Attempt to modify a readonly table" in run(lua, code)
    assert run(lua, "return redis.call('ok')") is OK
    assert run(lua, "return #redis + #_G + #string") == 0


def test_errors_of_python_stay_in_python(lua: Runtime, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(lua, "return type(select(2, pcall(redis.call, 'crash')))") == b"string"
    assert run(lua, "return redis.pcall('fail').err") == (
        b"WRONGTYPE Operation against a key holding the wrong kind of value"
    )


@pytest.mark.parametrize(
    "code",
    [
        "return string.rep('x', 1e9)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {1, 2, 3, 4, #t} end",
        "local t = {} while true do t[#t + 1] = redis.call('big') .. #t end",
        "local t = {} while true do local u = {} for i = 1, 500 do u[i] = i end t[#t + 1] = u "
        "redis.pcall('ok') end",
        "local t = {} while true do local ok = pcall(function() t[#t + 1] = ('x'):rep(1e6) .. #t end) "
        "if not ok then error('full') end end",
    ],
)
def test_memory_is_limited_and_comes_back(code: str) -> None:
    lua = Runtime(16 << 20)
    for _ in range(3):
        assert run(lua, code).startswith(b"ERR ")
    assert run(lua, "return redis.call('list')") == b"*3\r\n$1\r\na\r\n$-1\r\n*1\r\n:1\r\n"
    lua.collect()
    # Not all of it: Lua keeps the buffer in which it put strings together.
    assert lua.memory < 12 << 20


@pytest.mark.parametrize(
    "code",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "local co = coroutine.create(function() while true do coroutine.yield() end end) "
        "while true do coroutine.resume(co) end",
        "while true do redis.call('ok') end",
        "xpcall(function() while true do end end, function() while true do end end)",
    ],
)
def test_a_script_that_never_ends_is_ended(lua: Runtime, code: str) -> None:
    assert b"Script killed by user" in run(lua, code, Calls(ticks=3))
    assert run(lua, "local n = 0 for i = 1, 1e6 do n = n + 1 end return n") == 1_000_000


def test_scripts_nest(lua: Runtime) -> None:
    """While one waits for another shard, the thread may run a second one."""

    class Nested(Calls):
        def call(self, args: list[bytes]) -> Any:
            return run(lua, "redis.setresp(3) return KEYS[1] .. ARGV[1]", None, b"inner")

    code = "local inner = redis.call('x') return inner .. '/' .. KEYS[1] .. ARGV[1]"
    assert run(lua, code, Nested(), b"outer") == b"kinner/kouter"


def test_many_arguments(lua: Runtime) -> None:
    keys = [b"%d" % number for number in range(9000)]
    code = lua.compile(b"return KEYS[9000] .. ' ' .. #ARGV .. ' ' .. ARGV[8000]")
    assert lua.run(code, Calls(), 2, keys, keys[:8000]) == b"8999 8000 7999"


def test_compile_errors(lua: Runtime) -> None:
    with pytest.raises(CompileError) as raised:
        lua.compile(b"return return")
    assert raised.value.args[0].startswith(b"user_script:1:")


def test_no_memory_is_kept(lua: Runtime) -> None:
    function = lua.compile(
        b"redis.call('ok', KEYS[1]) return {redis.call('list'), redis.pcall('fail'), ARGV[1]}"
    )
    calls = Calls()
    sizes = []
    for _ in range(4):
        for _ in range(2000):
            lua.run(function, calls, 3, [b"k"], [b"v"])
        lua.collect()
        sizes.append(lua.memory)
    assert sizes[-1] - sizes[1] < 4096


@pytest.mark.parametrize(
    "code",
    [
        b"return string.find(string.rep('a', 200000), string.rep('a?', 200000) .. 'b')",
        b"local found = ('a'):rep(200000):match(('a-'):rep(200000)) return found",
        b"for word in string.gmatch(('a'):rep(200000), ('a*'):rep(200000)) do return word end",
        b"return string.gsub(('a'):rep(200000), ('a+'):rep(200000), 'b')",
        b"return string.gsub(('a'):rep(200000), ('a?'):rep(200000), function(found) return found end)",
    ],
)
def test_a_pattern_that_would_overflow_the_stack_is_refused(lua: Runtime, code: bytes) -> None:
    assert run(lua, code) == b"ERR user_script:1: pattern too complex"


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (b"string.find('hello', 'l+')", b"3 4"),
        (b"string.find('a+b', '+', 1, true)", b"2 2"),
        (b"('key=value'):match('(%w+)=(%w+)')", b"key value"),
        (b"string.gsub('hello', 'l', {l = 'L'})", b"heLLo 2"),
        (b"string.gsub('hello', 'l', function() return 'L' end, 1)", b"heLlo 1"),
        (b"string.gsub(('a'):rep(3000), ('a'):rep(3000), '')", b" 1"),
        (b"string.find(('-'):rep(5000), ('-'):rep(3000), 1, true)", b"1 3000"),
        (b"string.gmatch('a b c', '%a (%a)')()", b"b"),
    ],
)
def test_patterns_match_as_ever(lua: Runtime, code: bytes, result: object) -> None:
    assert run(lua, b"return table.concat({" + code + b"}, ' ')") == result


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (b"return string.find()", b"bad argument #1 to 'find' (string expected, got no value)"),
        (b"return string.match('a')", b"bad argument #2 to 'match' (string expected, got no value)"),
        (b"string.gsub('a', 'a', true)", b"bad argument #3 to 'gsub' (string/function/table expected)"),
        (b"return string.find('a', '[')", b"malformed pattern (missing ']')"),
        (b"return string.gsub('a', '%', 'b')", b"malformed pattern (ends with '%')"),
        (b"return string.gsub('a', 'a', function() error('own', 0) end)", None),
    ],
)
def test_errors_of_matching_are_those_of_lua(lua: Runtime, code: bytes, error: bytes | None) -> None:
    assert run(lua, code) == (b"ERR own" if error is None else b"ERR user_script:1: " + error)
