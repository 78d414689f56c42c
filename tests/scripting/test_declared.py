"""What reading a script tells: which are proved to keep to their KEYS, and that no other is."""

from __future__ import annotations

import pytest

from nogil_df.commands.script_locks import verdict_of
from nogil_df.scripting.declared import calls_of
from nogil_df.scripting.tokens import without_tail_calls
from nogil_df.simulation import Simulation

COMMANDS = Simulation(1, 1).threads[0].dispatcher.commands

DECLARED = """
return 1
redis.call('set', KEYS[1], ARGV[1]); redis.call('incr', KEYS[2])
local k = KEYS[1] return redis.call('get', k)
local k, j = KEYS[1], KEYS[2] return redis.call('mget', k, j)
for i, k in ipairs(KEYS) do redis.call('del', k) end
return redis.call('del', unpack(KEYS))
return redis.call('mset', KEYS[1], ARGV[1], KEYS[2], ARGV[2])
return redis.call('rpush', KEYS[1], unpack(ARGV))
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end
return redis.call('object', 'encoding', KEYS[1])
return redis.call('ping')
local a = {} for i = 1, #KEYS do a[i] = redis.call('get', KEYS[i]) end return a
return redis.call('lmpop', 2, KEYS[1], KEYS[2], 'LEFT')
-- redis.call('get', 'x')
return "redis.call('get', 'x')"
return redis.call('nosuch', 'x')
""".strip().split("\n")

NOT_DECLARED = """
return redis.call('get', 'k')
local k = KEYS[1] .. 'x' return redis.call('get', k)
local a, b = KEYS[1], ARGV[1] return redis.call('get', b)
return redis.call('mset', KEYS[1], unpack(ARGV))
KEYS[1] = 'x' return redis.call('get', KEYS[1])
local a a, KEYS[1] = 1, 2 return redis.call('get', KEYS[1])
local k = KEYS[1] k = 'x' return redis.call('get', k)
local k = KEYS[1] local function f(k) return redis.call('get', k) end return f('zz')
local k = KEYS[1] for k = 1, 2 do redis.call('get', k) end
local r = redis return r.call('get', 'x')
local c = redis.call return c('get', 'x')
return redis.call(ARGV[1], KEYS[1])
return redis['call']('get', 'x')
return redis.call('keys', '*')
return redis.call('lmpop', ARGV[1], KEYS[1], KEYS[2], 'LEFT')
return redis.call('rename', KEYS[1], 'x')
return redis.call('object', ARGV[1], KEYS[1])
local t = KEYS t[1] = 'x' return redis.call('get', KEYS[1])
local k = KEYS[1] or 'x' return redis.call('get', k)
redis.call'get'
pcall(redis.call, 'get', 'x')
local function ipairs(t) t[1] = 'x' end ipairs(KEYS) return redis.call('get', KEYS[1])
return loadstring("return redis.call('get', 'x')")()
return _G.redis.call('get', 'x')
table.insert(KEYS, 'x') return redis.call('get', KEYS[1])
return redis.call('get', (KEYS[1]))
return redis.call('flushall')
return redis.call('scan', 0)
""".strip().split("\n")


@pytest.mark.parametrize("code", DECLARED)
def test_proved(code: str) -> None:
    assert verdict_of(code.encode(), COMMANDS).declared


@pytest.mark.parametrize("code", NOT_DECLARED)
def test_not_proved(code: str) -> None:
    assert not verdict_of(code.encode(), COMMANDS).declared


def test_scripts_that_call_nothing_that_writes_share_their_locks() -> None:
    assert not verdict_of(b"return redis.call('get', 'x')", COMMANDS).writes
    assert verdict_of(b"return redis.call('set', KEYS[1], 'x')", COMMANDS).writes
    assert verdict_of(b"return redis.call(ARGV[1], KEYS[1])", COMMANDS).writes


@pytest.mark.parametrize("code", [b"return $", b"--[[ never closed", b"return (", b"return 'x", b"\x1bLua"])
def test_what_is_no_lua_is_not_proved(code: bytes) -> None:
    assert calls_of(code) in (None, [])


def test_a_last_call_keeps_its_frame() -> None:
    assert without_tail_calls(b"return redis.call('a')") == b"return (redis.call('a'))"
    inner = b"local f = function() return f(1) end return redis.pcall('a', {1}, (2))"
    assert without_tail_calls(inner).endswith(b"return (redis.pcall('a', {1}, (2)))")
    assert b"return f(1) end" in without_tail_calls(inner)
    for code in (b"return redis.call('a') + 1", b"return f(1), 2", b"return 'x'", b"return $("):
        assert without_tail_calls(code) == code
