"""Cases of FUNCTION and FCALL: libraries, their first line, what they may while loading, calls, payloads."""

from __future__ import annotations

from nogil_df.base.crc64 import crc64
from nogil_df.base.rdb_strings import write_string
from tests.differential.case import Book, Step, args, table, unordered

BOOK = Book()

SETUP = ["FUNCTION FLUSH"]
SHOW = [unordered("FUNCTION LIST"), "FUNCTION STATS"]


def load(code: str, *options: str) -> Step:
    """FUNCTION LOAD."""
    return args(b"FUNCTION", b"LOAD", *[option.encode() for option in options], code.encode("latin-1"))


def library(name: str, *functions: str) -> str:
    """A library whose functions return their own names."""
    lines = [f"redis.register_function('{one}', function() return '{one}' end)" for one in functions]
    return "\n".join([f"#!lua name={name}", *lines])


def payload(*codes: str, version: int = 10, opcode: bytes = b"\xf5") -> bytes:
    """What FUNCTION DUMP would answer for these libraries."""
    body = b"".join(opcode + write_string(code.encode()) for code in codes) + version.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def restore(data: bytes, *policy: str) -> Step:
    """FUNCTION RESTORE."""
    return args(b"FUNCTION", b"RESTORE", data, *[word.encode() for word in policy])


F = "redis.register_function('f', function(keys, args) return 1 end)"

BOOK.add(
    table(
        "function load, first line",
        {
            f"{number} {line!r}": [load(line + ("" if line.endswith("$") else "\n" + F)), *SHOW]
            for number, line in enumerate(
                [
                    "#!lua name=x",
                    "#!LUA NAME=x",
                    "#!Lua\tname=x  ",
                    "#!lua name=x\r",
                    "#!lua name='x'",
                    '#!lua name="x"',
                    '#!lua name="\\x61b"',
                    '#!lua name="x',
                    "#!lua name='x'y",
                    "#!lua name=a_B9",
                    "#!lua name=" + "n" * 200,
                    "#!lua name=",
                    "#!lua name=a-b",
                    "#!lua name=a.b",
                    "#!lua 'name=a b'",
                    "#!lua name=\xe4",
                    "#!lua name=\0",
                    "#!lua name",
                    "#!lua names=x",
                    "#!lua name =x",
                    "#!lua",
                    "#!",
                    "#! lua name=x",
                    "#!lua name=x name=x",
                    "#!lua name=x y",
                    "#!lua name=x flags=no-writes",
                    "#!lua flags=no-writes name=x",
                    "#!js name=x",
                    "#!js name=-",
                    "#!luajit name=x",
                    " #!lua name=x",
                    "",
                    "\n#!lua name=x",
                    "--#!lua name=x",
                ]
            )
        },
        setup=SETUP,
    )
)
BOOK.add(
    table(
        "function load",
        {
            "no line end": [load("#!lua name=x")],
            "nothing": [load("")],
            "no functions": [load("#!lua name=x\n"), load("#!lua name=x\nlocal a = 1"), *SHOW],
            "no lua": [load("#!lua name=x\nfoo bar"), load("#!lua name=x\n\n\nfunction"), *SHOW],
            "bytecode": [load("#!lua name=x\n\x1bLua"), *SHOW],
            "twice": [load(library("x", "f")), load(library("x", "g")), *SHOW, "FCALL f 0"],
            "replace": [
                load(library("x", "f")),
                load(library("x", "g"), "REPLACE"),
                *SHOW,
                "FCALL f 0",
                "FCALL g 0",
            ],
            "replace what is not there": [load(library("x", "f"), "replace"), *SHOW],
            "replace with an error": [
                load(library("x", "f")),
                load(library("x", "g") + "\nerror()", "REPLACE"),
                load("#!lua name=x\n", "REPLACE"),
                load("#!lua name=x\n(", "REPLACE"),
                *SHOW,
                "FCALL f 0",
                "FCALL g 0",
            ],
            "options": [
                load(library("x", "f"), "REPLAC"),
                load(library("x", "f"), "REPLACE", "REPLACE"),
                load(library("x", "f"), "REPLACE", "NX"),
                "FUNCTION LOAD REPLACE",
                "FUNCTION LOAD",
                *SHOW,
            ],
            "a function of another library": [
                load(library("x", "f", "g")),
                load(library("y", "h", "g")),
                load(library("y", "h", "G")),
                load(library("y", "h", "i")),
                *SHOW,
            ],
            "a function of another library, replacing": [
                load(library("x", "f")),
                load(library("y", "g")),
                load(library("y", "h", "f"), "REPLACE"),
                load(library("x", "f", "h"), "REPLACE"),
                load(library("y", "f"), "REPLACE"),
                *SHOW,
            ],
            "case of names": [
                load(library("x", "f")),
                load(library("X", "g")),
                load(library("y", "F")),
                "FCALL F 0",
                "FCALL G 0",
                "FUNCTION DELETE Y",
                "FUNCTION DELETE X",
                *SHOW,
            ],
            "many functions": [
                load(library("x", *[f"f{number}" for number in range(60)])),
                *SHOW,
                "FCALL f0 0",
                "FCALL f59 0",
            ],
        },
        setup=SETUP,
    )
)
_FORMS = [
    "",
    "'f'",
    "'f', f, 1",
    "'f', 1",
    "'f', 'f'",
    "'f', nil",
    "'f', {}",
    "nil, f",
    "true, f",
    "{}, f",
    "1, f",
    "1.5, f",
    "'a-b', f",
    "'', f",
    "'f\\0', f",
    "'\\228', f",
    "'f g', f",
    "'_', f",
    "'1', f",
    "nil",
    "f",
    "{}",
    "{function_name = 'f'}",
    "{callback = f}",
    "{function_name = 'f', callback = f}",
    "{FUNCTION_NAME = 'f', Callback = f}",
    "{function_name = 1, callback = f}",
    "{function_name = {}, callback = f}",
    "{function_name = 'a b', callback = f}",
    "{function_name = 'f', callback = 1}",
    "{function_name = 'f', callback = f, foo = 1}",
    "{function_name = 'f', callback = f, [1] = 1}",
    "{function_name = 'f', callback = f, [{}] = 1}",
    "{'f', f}",
    "{function_name = 'f', callback = f}, 2",
    "{function_name = 'f', callback = f, description = 'says\\r\\nmuch'}",
    "{function_name = 'f', callback = f, description = 1}",
    "{function_name = 'f', callback = f, description = {}}",
    "{function_name = 'f', callback = f, flags = {}}",
    "{function_name = 'f', callback = f, flags = {'no-writes'}}",
    "{function_name = 'f', callback = f, flags = {'NO-Writes', 'no-writes'}}",
    "{function_name = 'f', callback = f, flags = {'no-cluster', 'allow-oom', 'allow-stale', 'no-writes'}}",
    "{function_name = 'f', callback = f, flags = {'allow-cross-slot-keys'}}",
    "{function_name = 'f', callback = f, flags = {'no-write'}}",
    "{function_name = 'f', callback = f, flags = {1}}",
    "{function_name = 'f', callback = f, flags = {{}}}",
    "{function_name = 'f', callback = f, flags = {no = 'x'}}",
    "{function_name = 'f', callback = f, flags = {'no-writes', nil, 'x'}}",
    "{function_name = 'f', callback = f, flags = 'no-writes'}",
    "{function_name = 'f', callback = f, flags = 1}",
]
BOOK.add(
    table(
        "register_function",
        {
            form: [
                load(
                    f"#!lua name=x\nlocal function f(keys) return #keys end\nredis.register_function({form})"
                ),
                *SHOW,
                "FCALL f 0",
            ]
            for form in _FORMS
        },
        setup=SETUP,
    )
)
BOOK.add(
    table(
        "while loading",
        {
            code: [
                load("#!lua name=x\nredis.register_function('f', function() return 1 end)\n" + code),
                *SHOW,
            ]
            for code in [
                "redis.call('SET', 'k', 'v')",
                "redis.pcall('SET', 'k', 'v')",
                "redis.foo()",
                "redis.foo = 1",
                "foo()",
                "foo = 1",
                "function foo() end",
                "local x = KEYS",
                "local x = ARGV",
                "local x = _G",
                "local x = ...",
                "error('no')",
                "pcall(error)",
                "redis.setresp(3)",
                "redis.sha1hex('x')",
                "redis.error_reply('x')",
                "redis.breakpoint()",
                "redis.log(redis.LOG_DEBUG, redis.REDIS_VERSION)",
                "redis.log(redis.LOG_DEBUG)",
                "redis.log(9, 'x')",
                "local x = redis.REDIS_VERSION_NUM + redis.LOG_VERBOSE + redis.LOG_NOTICE",
                "local x = redis.REPL_ALL",
                "local x = math.pi",
                "local x = cjson",
                "local x = string",
                "local x = ('x'):rep(3)",
                "local x = nil .. 'x'",
                "local x; x.y = 1",
                "return 1",
                "return {err = 'x'}",
                "redis.register_function('f', function() return 2 end)",
                "local r = redis.register_function; r('g', function() return 2 end)",
                "local function r() redis.register_function('g', function() end) end r()",
                "while true do end",
            ]
        },
        setup=SETUP,
    )
)

CALLS = """#!lua name=calls
local function add(name, callback) redis.register_function(name, callback) end
add('args', function(keys, args) return {keys, args} end)
add('count', function(...) return select('#', ...) end)
add('two', function() return 1, 2 end)
add('nothing', function() end)
add('bool', function() return {true, false, 1.9, 'x', {ok = 'fine'}, nil, 'y'} end)
add('status', function() return {ok = 'FINE'} end)
add('error', function() error('boo') end)
add('error_table', function() error({err = 'MY boo'}) end)
add('error_nothing', function() error() end)
add('error_reply', function() return redis.error_reply('MY boo') end)
add('error_returned', function() return {err = 'x y'} end)
add('unknown', function() return redis.call('nosuch') end)
add('arity', function() return redis.call('get') end)
add('pcall', function() return redis.pcall('get') end)
add('wrong_type', function(keys) return redis.call('incr', keys[1]) end)
add('index', function() local x; return x.y end)
add('read_global', function() return foo end)
add('write_global', function() foo = 1 end)
add('keys_global', function() return KEYS end)
add('argv_global', function() return ARGV[1] end)
add('no_keys', function() return rawget(_G, 'KEYS') == nil end)
add('set', function(keys, args) return redis.call('set', keys[1], args[1]) end)
add('get', function(keys) return redis.call('get', keys[1]) end)
add('get_any', function(keys, args) return redis.call('get', args[1]) end)
add('mget', function(keys) return redis.call('mget', unpack(keys)) end)
add('incr', function(keys)
  local r = {}; for i, k in ipairs(keys) do r[i] = redis.call('incr', k) end return r end)
add('select', function(keys) redis.call('select', 1) return redis.call('get', keys[1]) end)
add('register', function() return type(redis.register_function) end)
add('register_call', function() redis.register_function('zz', function() end) end)
add('no_breakpoint', function() return redis.breakpoint() end)
add('no_replicate', function() return redis.replicate_commands() end)
add('load', function(keys, args) return redis.call('function', 'load', args[1]) end)
add('fcall', function() return redis.call('fcall', 'two', 0) end)
add('stats', function() return redis.call('function', 'stats') end)
add('list', function() return redis.call('function', 'list') end)
add('eval', function() return redis.call('eval', 'return 1', 0) end)
add('metatable', function() setmetatable(_G, {}) end)
add('redis_changed', function() redis.call = 1 end)
add('rawset', function() rawset(_G, 'x', 1) end)
add('closure', function(keys) return (function() return redis.call('get', keys[1]) end)() end)
add('libraries', function()
  return {cjson.encode({1, 2}), bit.band(7, 2), #cmsgpack.pack(1), redis.sha1hex('')} end)
add('loadstring', function() return loadstring('return 1 + 1')() end)
redis.register_function{function_name = 'get_ro', flags = {'no-writes'},
  callback = function(keys) return redis.call('get', keys[1]) end}
redis.register_function{function_name = 'set_ro', flags = {'no-writes'},
  callback = function(keys, args) return redis.call('set', keys[1], args[1]) end}
redis.register_function{function_name = 'set_any_ro', flags = {'no-writes'},
  callback = function(keys, args) return redis.call('set', args[1], args[1]) end}
redis.register_function{function_name = 'oom', flags = {'allow-oom', 'allow-stale', 'no-cluster'},
  callback = function(keys, args) return redis.call('set', keys[1], args[1]) end}
"""
_NAMES = (
    "args count two nothing bool status error error_table error_nothing error_reply error_returned unknown "
    "arity pcall wrong_type index read_global write_global keys_global argv_global no_keys set get get_any "
    "mget incr select register register_call no_breakpoint no_replicate load fcall stats list eval metatable "
    "redis_changed rawset closure libraries loadstring get_ro set_ro set_any_ro oom"
).split()
BOOK.add(
    table(
        "fcall",
        {
            name: [
                f"FCALL {name} 1 k v",
                f"FCALL_RO {name} 1 k v",
                f"FCALL {name} 2 k {{k}}2 v w",
                f"FCALL {name} 0 k",
                f"FCALL {name} 0",
                "GET k",
                "GET {k}2",
            ]
            for name in _NAMES
        },
        setup=[*SETUP, load(CALLS), "SET k word"],
        probe=["FUNCTION FLUSH"],
    )
)
BOOK.add(
    table(
        "fcall arguments",
        {
            "unknown": [
                "FCALL nosuch 0",
                "FCALL nosuch x",
                "FCALL nosuch 9",
                "FCALL_RO nosuch 0",
                'FCALL "" 0',
            ],
            "case": ["FCALL ARGS 0", "FCALL Args 1 k", "fcall_ro GET_RO 1 k"],
            "numkeys": [
                *[
                    f"FCALL args {count} a b c"
                    for count in ("0", "1", "3", "4", "-1", "x", "1.0", '" 1"', "+1", "01")
                ],
                "FCALL args 99999999999999999999 a",
                "FCALL args 9223372036854775807 a",
                'FCALL args "" a',
            ],
            "numkeys, read only": [
                "FCALL_RO get_ro x",
                "FCALL_RO get_ro 2 k",
                "FCALL_RO get_ro -1",
                "FCALL_RO set x",
            ],
            "arity": ["FCALL", "FCALL args", "FCALL_RO", "FCALL_RO args"],
            "getkeys": [
                "COMMAND GETKEYS FCALL f 2 a b c",
                "COMMAND GETKEYS FCALL_RO f 1 a b c",
                "COMMAND GETKEYS FCALL f 0 a",
            ],
            "many keys": [
                f"FCALL incr 30 {' '.join(f'key:{number}' for number in range(30))}",
                "GET key:7",
                "DBSIZE",
            ],
            "many keys read": ["MSET a 1 b 2 c 3 d 4", "FCALL mget 5 a b c d e"],
            "the same key twice": ["FCALL incr 3 n n n", "GET n"],
            "a key that is not declared": ["FCALL get_any 0 k", "FCALL get_any 1 other k"],
            "binary": [args(b"FCALL", b"args", b"1", b"\r\n\x00", b"\xff" * 5000)],
            "database": ["SELECT 1", "SET k one", "SELECT 0", "FCALL select 1 k", "GET k", "FCALL get 1 k"],
        },
        setup=[*SETUP, load(CALLS), "SET k word"],
        probe=["FUNCTION FLUSH"],
    )
)
BOOK.add(
    table(
        "in scripts",
        {
            "fcall": [
                "EVAL \"return redis.call('fcall', 'f', 0)\" 0",
                "EVAL \"return redis.call('fcall_ro', 'f', 0)\" 0",
            ],
            "function": [
                f"EVAL \"return redis.call('function', '{word}')\" 0"
                for word in ("stats", "list", "dump", "flush", "kill")
            ],
            "register": ["EVAL \"return redis.register_function('x', function() end)\" 0"],
        },
        setup=[*SETUP, load(library("x", "f"))],
    )
)
BOOK.add(
    table(
        "function",
        {
            "nothing": ["FUNCTION", "FUNCTION NOSUCH", "FUNCTION LIST", "FUNCTION STATS", "FUNCTION DUMP"],
            "arity": [
                "FUNCTION STATS x",
                "FUNCTION DUMP x",
                "FUNCTION KILL x",
                "FUNCTION DELETE",
                "FUNCTION DELETE a b",
                "FUNCTION RESTORE",
                "FUNCTION HELP x",
            ],
            "kill": ["FUNCTION KILL", "function kill"],
            "delete": [
                load(library("x", "f")),
                load(library("y", "g")),
                "FUNCTION DELETE z",
                "FUNCTION DELETE x",
                *SHOW,
                "FCALL f 0",
                "FCALL g 0",
                "FUNCTION DELETE x",
                load(library("x", "f")),
                "FCALL f 0",
            ],
            "flush": [
                *[
                    step
                    for how in ("", "SYNC", "async", "x", "SYNC x")
                    for step in (load(library("x", "f"), "REPLACE"), f"FUNCTION FLUSH {how}", *SHOW)
                ],
                "FCALL f 0",
            ],
            "list": [
                load(library("one", "f")),
                load(library("One2", "g", "h")),
                load(library("two", "i")),
                *[
                    unordered(f"FUNCTION LIST {how}")
                    for how in (
                        "WITHCODE",
                        "withcode",
                        "LIBRARYNAME one",
                        "LIBRARYNAME O*",
                        "LIBRARYNAME *o*",
                        "LIBRARYNAME [t]wo",
                        "libraryname one? WITHCODE",
                        "WITHCODE LIBRARYNAME two",
                        'LIBRARYNAME ""',
                        "LIBRARYNAME",
                        "WITHCODE LIBRARYNAME",
                        "WITHCODE WITHCODE",
                        "LIBRARYNAME a LIBRARYNAME b",
                        "LIBRARYNAME WITHCODE",
                        "x",
                        "WITHCODE x",
                    )
                ],
            ],
            "loaded and used in one transaction": [
                load(library("x", "f")),
                "FCALL f 0",
                "FUNCTION STATS",
                load(library("x", "g"), "REPLACE"),
                "FCALL f 0",
                "FCALL g 0",
                "FUNCTION DELETE x",
                "FCALL g 0",
                "FUNCTION KILL",
            ],
        },
        setup=SETUP,
        probe=["FUNCTION FLUSH"],
    )
)
_ONE = payload(library("a", "fa"))
_TWO = payload(library("a", "fa"), library("b", "fb"))
BOOK.add(
    table(
        "function restore",
        {
            "nothing": [restore(payload()), *SHOW],
            "two": [restore(_TWO), *SHOW, "FCALL fb 0"],
            "again": [restore(_ONE), restore(_ONE), restore(_ONE, "APPEND"), restore(_ONE, "append"), *SHOW],
            "replace": [restore(_TWO), restore(_TWO, "REPLACE"), *SHOW, restore(_TWO, "replace")],
            "replace one": [
                restore(_TWO),
                restore(payload(library("b", "fc")), "REPLACE"),
                *SHOW,
                "FCALL fb 0",
            ],
            "flush": [load(library("c", "fc")), restore(_TWO, "FLUSH"), *SHOW, "FCALL fc 0"],
            "flush by nothing": [load(library("c", "fc")), restore(payload(), "FLUSH"), *SHOW],
            "a function collides": [load(library("c", "FB")), restore(_TWO), restore(_TWO, "REPLACE"), *SHOW],
            "flush, so nothing collides": [load(library("c", "fb")), restore(_TWO, "FLUSH"), *SHOW],
            "twice in the payload": [restore(payload(library("a", "f"), library("a", "g"))), *SHOW],
            "policy": [restore(_TWO, "x"), restore(_TWO, "FLUSH", "FLUSH"), restore(b"x", "x"), *SHOW],
            "an error changes nothing": [
                load(library("c", "fc")),
                restore(payload(library("a", "fa"), "#!lua name=x\nfoo()"), "FLUSH"),
                restore(payload(library("a", "fa"), "#!lua name=x\n"), "FLUSH"),
                restore(payload(library("a", "fa"), "#!lua name=x\n(")),
                restore(payload(library("a", "fa"), "no library")),
                restore(payload(library("a", "fa"), "#!lua\n" + F)),
                *SHOW,
                "FCALL fc 0",
                "FCALL fa 0",
            ],
            "damaged": [
                restore(b""),
                restore(b"x"),
                restore(_TWO[:-1]),
                restore(_TWO[1:]),
                restore(_TWO[:-1] + b"x"),
                restore(bytes(9)),
                restore(bytes(10)),
                *SHOW,
            ],
            "versions": [restore(payload(version=version)) for version in (0, 1, 9, 10, 9999)],
            "another type": [restore(payload("x", opcode=b"\0")), restore(payload("x", opcode=b"\xfe"))],
            "cut short": [
                restore(body + crc64(body).to_bytes(8, "little"))
                for body in (
                    b"\xf5\x0a\0",
                    b"\xf5\x80\0\0\x0a\0",
                    b"\xf5\xc3\x05\x0a\0",
                    b"\xf5\x7f\xff\x0a\0",
                )
            ],
        },
        setup=SETUP,
        probe=["FUNCTION FLUSH"],
    )
)
