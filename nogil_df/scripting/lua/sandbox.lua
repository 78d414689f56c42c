-- The world that scripts live in: their globals, `redis`, and the functions through which Python runs them.
--
-- Called once for each runtime, with one table of Python functions, `host`. They raise nothing: a Python exception
-- would reach the script as a Python object. No Python function is handed to a script either, only closures over it.
--
-- Scripts may change nothing that outlives them. PUC Lua has no read-only tables, so a script gets an empty table
-- in place of each library, with the real one behind `__index`; `rawset` and its like look whether a table is one
-- of these (`behind`). The real globals are emptied, so that not even a function that lost its environment finds
-- anything there.
--
-- Returns a table of functions for Python.

local host = ...

local collectgarbage, error, getmetatable, next, pairs, pcall, rawget, rawset, select, setfenv, setmetatable =
  collectgarbage, error, getmetatable, next, pairs, pcall, rawget, rawset, select, setfenv, setmetatable
local assert, type = assert, type
local loadstring, tostring, tonumber, xpcall = loadstring, tostring, tonumber, xpcall
local getinfo, sethook = debug.getinfo, debug.sethook
local byte, find, gmatch, sub = string.byte, string.find, string.gmatch, string.sub
local concat, floor = table.concat, math.floor
local insert = table.insert
local create, resume, status, yield = coroutine.create, coroutine.resume, coroutine.status, coroutine.yield

local invoke, sha1hex, log, tick = host.invoke, host.sha1hex, host.log, host.tick
local soft_limit = host.soft_limit

local READONLY = "Attempt to modify a readonly table"
local OWN_SOURCE = getinfo(1, "S").source
-- Instructions between two looks at the clock: about a millisecond.
local HOOK_COUNT = 100000

-- Read-only tables.

local behind = setmetatable({}, { __mode = "k" })

local function deny()
  error(READONLY, 2)
end

local function protect(real)
  local face = {}
  behind[face] = real
  local shown = {}
  behind[shown] = { __index = face }
  setmetatable(shown, { __index = behind[shown], __newindex = deny, __metatable = false })
  setmetatable(face, { __index = real, __newindex = deny, __metatable = shown })
  return face
end

-- Globals that scripts see: `globals` is what is behind their `_G`.

local globals = {}
setmetatable(globals, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
local environment = protect(globals)

for name in gmatch("assert error ipairs rawequal select tonumber tostring type unpack _VERSION", "[%w_]+") do
  globals[name] = _G[name]
end
globals._G = environment

local function copy(library, names)
  local chosen = {}
  for name in gmatch(names, "%w+") do
    chosen[name] = library[name]
  end
  return chosen
end

local function wrong(position, name, expected, given)
  error("bad argument #" .. position .. " to '" .. name .. "' (" .. expected .. " expected, got " .. given .. ")", 3)
end

function globals.pairs(...)
  local t = ...
  local real = behind[t]
  if real then
    return next, real, nil
  end
  if type(t) ~= "table" then
    wrong(1, "pairs", "table", select("#", ...) == 0 and "no value" or type(t))
  end
  return next, t, nil
end

function globals.next(t, key)
  if type(t) ~= "table" then
    wrong(1, "next", "table", t == nil and "nil" or type(t))
  end
  return next(behind[t] or t, key)
end

function globals.rawget(t, key)
  if type(t) ~= "table" then
    wrong(1, "rawget", "table", t == nil and "nil" or type(t))
  end
  return rawget(behind[t] or t, key)
end

function globals.rawset(t, key, value)
  if behind[t] then
    error(READONLY, 0)
  end
  if type(t) ~= "table" then
    wrong(1, "rawset", "table", t == nil and "nil" or type(t))
  end
  return rawset(t, key, value)
end

function globals.setmetatable(t, meta)
  if behind[t] then
    error(READONLY, 0)
  end
  if type(t) ~= "table" then
    wrong(1, "setmetatable", "table", t == nil and "nil" or type(t))
  end
  if meta ~= nil and type(meta) ~= "table" then
    wrong(2, "setmetatable", "nil or table", type(meta))
  end
  if getmetatable(t) ~= nil and rawget(getmetatable(t), "__metatable") ~= nil then
    error("cannot change a protected metatable", 2)
  end
  return setmetatable(t, meta)
end

function globals.getmetatable(value)
  local real = behind[value]
  if real and rawget(real, "_G") ~= value then
    -- Only globals have one in Redis.
    return nil
  end
  return getmetatable(value)
end

local collections = { collect = true, count = true, step = true }

function globals.collectgarbage(option, argument)
  option = option or "collect"
  if collections[option] then
    return collectgarbage(option, tonumber(argument) or 0)
  end
  -- Stopping or tuning the collector would concern every script to come.
  return 0
end

function globals.gcinfo()
  return floor(collectgarbage("count"))
end

-- Errors that are tables with a field `err` are seen as that text, as in Redis.
local function plain_error(ok, ...)
  if not ok then
    local problem = ...
    if type(problem) == "table" then
      local text = rawget(problem, "err")
      if type(text) == "string" or type(text) == "number" then
        return false, tostring(text)
      end
    end
  end
  return ok, ...
end

function globals.pcall(...)
  if select("#", ...) == 0 then
    error("bad argument #1 to 'pcall' (value expected)", 2)
  end
  return plain_error(pcall(...))
end

-- Lua runs the handler of an error before the stack is unwound; for an error of the hook that is with hooks switched
-- off, and a handler that loops would never end. So it is run afterwards, which no script can tell.
local function handled(handler, ok, ...)
  if ok then
    return true, ...
  end
  local fine, value = pcall(handler, ...)
  return false, fine and value or not fine and "error in error handling" or nil
end

function globals.xpcall(...)
  if select("#", ...) < 2 then
    error("bad argument #2 to 'xpcall' (value expected)", 2)
  end
  local f, handler = ...
  return handled(handler, pcall(f))
end

-- Code is text: Lua's virtual machine trusts bytecode, and so must not get any.
local function load_text(code, name, where)
  if byte(code, 1) == 27 then
    code = " " .. code
  end
  local chunk, problem = loadstring(code, name)
  if chunk then
    return setfenv(chunk, where or environment)
  end
  return nil, problem
end

function globals.loadstring(code, name)
  if type(code) == "number" then
    code = tostring(code)
  end
  if type(code) ~= "string" then
    wrong(1, "loadstring", "string", code == nil and "no value" or type(code))
  end
  return load_text(code, name ~= nil and tostring(name) or code)
end

function globals.load(reader, name)
  if type(reader) ~= "function" then
    wrong(1, "load", "function", reader == nil and "no value" or type(reader))
  end
  local pieces = {}
  while true do
    local piece = reader()
    if piece == nil or piece == "" then
      break
    end
    if type(piece) ~= "string" then
      return nil, "reader function must return a string"
    end
    pieces[#pieces + 1] = piece
  end
  return load_text(concat(pieces), name ~= nil and tostring(name) or "=(load)")
end

-- Libraries of Lua itself.

local real_string = copy(string, "byte char dump format gmatch len lower rep reverse sub upper")

-- Lua's matching calls itself for each repetition in a pattern, so a long enough pattern overflows the stack of the
-- thread, which ends the process. Later versions of Lua refuse more than 200 levels, in these words.
local MOST_REPETITIONS = 2000

local function refuse_complex(pattern)
  if type(pattern) == "string" and #pattern > MOST_REPETITIONS then
    local count, at = 0, 0
    repeat
      at = find(pattern, "[-?*+]", at + 1)
      count = count + 1
    until not at or count > MOST_REPETITIONS
    if at then
      error("pattern too complex", 3)
    end
  end
end

-- What a call gave; its error is told as if the script had called the function `name` itself.
local function matched(name, ok, ...)
  if ok then
    return ...
  end
  local problem = ...
  local at, named = find(problem, "^bad argument #%d+ to '%?'")
  if at then
    problem = sub(problem, 1, named - 2) .. name .. sub(problem, named)
  end
  error(problem, 3)
end

for name in gmatch("find match gmatch gfind", "%w+") do
  local real = string[name]
  real_string[name] = real and function(...)
    local _, pattern, _, plain = ...
    if not plain then
      refuse_complex(pattern)
    end
    return matched(name, pcall(real, ...))
  end
end

local gsub = string.gsub

function real_string.gsub(...)
  local _, pattern, replacement = ...
  refuse_complex(pattern)
  if type(replacement) == "function" or type(replacement) == "table" then
    -- What code of the script raises is told as it is.
    return gsub(...)
  end
  return matched("gsub", pcall(gsub, ...))
end

globals.string = protect(real_string)
globals.string = protect(real_string)

local real_table = copy(table, "concat foreach foreachi getn maxn remove setn sort")

function real_table.insert(t, ...)
  if behind[t] then
    error(READONLY, 0)
  end
  local count = select("#", ...)
  if type(t) ~= "table" then
    wrong(1, "insert", "table", t == nil and count == 0 and "no value" or type(t))
  end
  if count == 1 then
    t[#t + 1] = ...
  elseif count == 2 then
    local position, value = ...
    if not tonumber(position) then
      wrong(2, "insert", "number", position == nil and "nil" or type(position))
    end
    insert(t, position, value)
  else
    error("wrong number of arguments to 'insert'", 2)
  end
end

globals.table = protect(real_table)

local real_math = copy(math, "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 "
  .. "max min mod modf pi pow rad sin sinh sqrt tan tanh")

-- drand48's generator, which is Redis's, begun where drand48 begins: the first script of a runtime draws the numbers
-- that the first one of a Redis server draws. 48 bits, in two halves, as a double holds 53.
local random_high, random_low = 0x1234AB, 0xCD330E

local function seed_random(seed)
  seed = seed % 4294967296
  random_high = floor(seed / 256)
  random_low = (seed % 256) * 65536 + 0x330E
end

function real_math.random(...)
  -- x = x * 0x5DEECE66D + 0xB; every product is below 2^48, so it is exact.
  local low = random_low * 0xECE66D + 0xB
  random_high = (random_high * 0xECE66D + random_low * 0x5DE + floor(low / 16777216)) % 16777216
  random_low = low % 16777216
  local r = (random_high * 128 + floor(random_low / 131072)) % 2147483647 / 2147483647
  local count = select("#", ...)
  if count == 0 then
    return r
  end
  local from, to = ...
  if count == 1 then
    from, to = 1, tonumber(from) and floor(tonumber(from)) or wrong(1, "random", "number", type(from))
    if to < 1 then
      error("bad argument #1 to 'random' (interval is empty)", 2)
    end
  elseif count == 2 then
    from = tonumber(from) and floor(tonumber(from)) or wrong(1, "random", "number", type(from))
    to = tonumber(to) and floor(tonumber(to)) or wrong(2, "random", "number", type(to))
    if to < from then
      error("bad argument #2 to 'random' (interval is empty)", 2)
    end
  else
    error("wrong number of arguments", 2)
  end
  return floor(r * (to - from + 1)) + from
end

function real_math.randomseed(seed)
  if not tonumber(seed) then
    wrong(1, "randomseed", "number", seed == nil and "no value" or type(seed))
  end
  seed_random(floor(tonumber(seed)))
end

globals.math = protect(real_math)
globals.os = protect(copy(os, "clock"))

-- A hook belongs to one coroutine: each new one gets its own, or a loop in it could never be ended.
local hook

local function hooked(f)
  local co = create(f)
  sethook(co, hook, "", HOOK_COUNT)
  return co
end

local real_coroutine = copy(coroutine, "resume running status yield")

function real_coroutine.create(f)
  if type(f) ~= "function" then
    error("bad argument #1 to 'create' (Lua function expected)", 2)
  end
  return hooked(f)
end

local function resumed(ok, ...)
  if ok then
    return ...
  end
  local problem = ...
  error(problem, type(problem) == "string" and 3 or 0)
end

function real_coroutine.wrap(f)
  if type(f) ~= "function" then
    error("bad argument #1 to 'wrap' (Lua function expected)", 2)
  end
  local co = hooked(f)
  return function(...)
    return resumed(resume(co, ...))
  end
end

globals.coroutine = protect(real_coroutine)

-- All strings share one metatable.
do
  local meta = getmetatable("")
  local shown = protect({ __index = globals.string })
  meta.__index = real_string
  meta.__metatable = shown
end

-- `redis`.

local redis = {}

-- The protocol of replies inside the script, and for what it returns: 2 or 3.
local protocol = 2

-- What Python tells beside a plain value, as the second result of a call whose first one is nil. WAIT: the answer
-- comes from another shard, later; see `proceed`.
local STATUS, ERROR, WAIT = 1, 2, 5

-- The script that runs has to end.
local killed = false

local KILLED = "ERR Script killed by user with SCRIPT KILL..."

local function stop()
  error({ err = KILLED }, 0)
end

local function failed(text, counted)
  local problem = { err = text }
  if counted then
    problem.ignore_error_stats_update = true
  end
  return problem
end

-- To be called before Python is: what it hands over must find room, see runtime.py.
local function look_at_memory()
  if collectgarbage("count") > soft_limit then
    collectgarbage("collect")
    if collectgarbage("count") > soft_limit then
      error("not enough memory", 0)
    end
  end
end

-- What is handed to a script for the answer of a command, and whether that is an error.
local function value_of(reply, kind, text, counted)
  if kind == nil then
    if reply == true and protocol == 2 then
      return { ok = "OK" }
    end
    return reply
  elseif kind == STATUS then
    return { ok = text }
  elseif kind == WAIT then
    if killed then
      stop()
    end
    return value_of(yield())
  end
  return failed(text, counted), true
end

function redis.call(...)
  if collectgarbage("count") > soft_limit then
    look_at_memory()
  end
  local value, is_problem = value_of(invoke(...))
  if is_problem then
    error(value, 0)
  end
  return value
end

function redis.pcall(...)
  if collectgarbage("count") > soft_limit then
    look_at_memory()
  end
  return (value_of(invoke(...)))
end

local function fail(text)
  error({ err = "ERR " .. text }, 0)
end

function redis.error_reply(...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then
    return { err = "ERR wrong number or type of arguments" }
  end
  if byte(text, 1) == 45 then
    text = sub(text, 2)
  elseif not find(text, " ", 1, true) then
    text = "ERR " .. text
  end
  return { err = text }
end

function redis.status_reply(...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then
    return { err = "ERR wrong number or type of arguments" }
  end
  return { ok = text }
end

function redis.sha1hex(...)
  if select("#", ...) ~= 1 then
    fail("wrong number of arguments")
  end
  local text = ...
  if type(text) ~= "string" and type(text) ~= "number" then
    return sha1hex("")
  end
  look_at_memory()
  return sha1hex(tostring(text))
end

redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3

function redis.log(...)
  local count = select("#", ...)
  if count < 2 then
    fail("redis.log() requires two arguments or more.")
  end
  local level = ...
  if not tonumber(level) then
    fail("First argument must be a number (log level).")
  end
  level = tonumber(level)
  if level < 0 or level > 3 then
    fail("Invalid debug level.")
  end
  local words = {}
  for position = 2, count do
    local word = select(position, ...)
    if type(word) == "string" or type(word) == "number" then
      words[#words + 1] = tostring(word)
    end
  end
  log(floor(level), concat(words, " "))
end

function redis.setresp(...)
  if select("#", ...) ~= 1 then
    fail("redis.setresp() requires one argument.")
  end
  local wanted = tonumber((...))
  if wanted ~= 2 and wanted ~= 3 then
    fail("RESP version must be 2 or 3.")
  end
  protocol = wanted
  host.set_protocol(wanted)
end

function redis.acl_check_cmd(...)
  if select("#", ...) == 0 then
    fail("Please specify at least one argument for this redis lib call")
  end
  look_at_memory()
  local allowed, problem = host.acl_check(...)
  if problem then
    fail(problem)
  end
  return allowed
end

-- Replication of effects is all there is; these are for scripts that choose.
redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3

function redis.set_repl(...)
  if select("#", ...) ~= 1 then
    fail("redis.set_repl() requires two arguments.")
  end
  local wanted = tonumber((...)) or 0
  if wanted < 0 or wanted > 3 or wanted ~= floor(wanted) then
    fail("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
  end
end

function redis.replicate_commands()
  return true
end

-- There is no debugger: a breakpoint is passed, and what is printed for it is not shown.
function redis.breakpoint()
  return false
end

function redis.debug() end

redis.REDIS_VERSION = host.version
redis.REDIS_VERSION_NUM = host.version_number
globals.redis = protect(redis)

-- What scripts return, for Python: see replies.lua. Made before the globals are emptied.
local reply_to = assert(loadstring(host.replies, OWN_SOURCE))(behind, host.format_double)

-- What Python gets in its place if a script failed.
local FAILURE = 4

-- Running.

function hook()
  if not killed and tick() then
    -- From here on at every line: a script that catches the error gets no further.
    killed = true
    sethook(hook, "l")
  end
  -- Our own code is not interrupted: what cleans up after the script is part of it.
  if killed and getinfo(2, "S").source ~= OWN_SOURCE then
    stop()
  end
end

sethook(hook, "", HOOK_COUNT)

-- An error as a table, with its place in it if `info`, of `getinfo`, tells one.
local function at_place(problem, info)
  if type(problem) ~= "table" then
    problem = { err = "ERR " .. tostring(problem) }
  end
  if info and not behind[problem] then
    rawset(problem, "source", info.source)
    rawset(problem, "line", info.currentline)
  end
  return problem
end

local function is_script(info)
  return (info.what == "Lua" or info.what == "main") and info.source ~= OWN_SOURCE
end

local function locate(problem)
  local level = 2
  local info = getinfo(level, "Sl")
  while info and not is_script(info) do
    level = level + 1
    info = getinfo(level, "Sl")
  end
  return at_place(problem, info)
end

-- The same for a coroutine that has ended in an error, whose stack is still there.
local function locate_in(co, problem)
  local level = 0
  local info = getinfo(co, level, "Sl")
  while info and not is_script(info) do
    level = level + 1
    info = getinfo(co, level, "Sl")
  end
  return at_place(problem, info)
end

-- What became of a script, for Python, when `client` is the client's RESP version.
local function outcome(ok, value, client, outer_protocol)
  if collectgarbage("count") > soft_limit then
    -- Whatever comes next must find room.
    collectgarbage("collect")
  end
  if killed then
    -- In this order: the hook runs on each of these lines, and would ask again.
    sethook(hook, "", HOOK_COUNT)
    killed = false
    if ok then
      -- It caught its end, and came to an end by itself right after.
      ok, value = false, { err = KILLED }
    end
  end
  if ok then
    if type(value) == "string" or type(value) == "number" then
      protocol = outer_protocol
      return value
    end
    -- What is written depends on the protocol, so that one is put back later.
    local made, kind, more, counted = pcall(reply_to, value, client, protocol)
    protocol = outer_protocol
    if not made then
      return FAILURE, "ERR " .. tostring(kind)
    elseif more == nil then
      return kind
    end
    return kind, more, counted
  end
  protocol = outer_protocol
  if type(value) ~= "table" then
    -- Not even the handler could run.
    return FAILURE, "ERR " .. tostring(value)
  end
  local text = rawget(value, "err")
  if type(text) ~= "string" then
    text = "ERR unknown error"
  end
  return FAILURE, text, rawget(value, "source"), rawget(value, "line"),
    rawget(value, "ignore_error_stats_update") == true
end

-- Run `f` to its end and say what became of it, for a client of RESP `client`.
local function guarded(f, client)
  local outer_protocol = protocol
  protocol = 2
  local ok, value = xpcall(f, locate)
  return outcome(ok, value, client, outer_protocol)
end

-- What was KEYS and ARGV before is put back: scripts nest, see runtime.py.
local current_keys, current_arguments

local function restored(keys, arguments, ...)
  current_keys, current_arguments = keys, arguments
  globals.KEYS, globals.ARGV = keys, arguments
  return ...
end

local function run_with(chunk, client, keys, arguments)
  local outer_keys, outer_arguments = current_keys, current_arguments
  current_keys, current_arguments = keys, arguments
  globals.KEYS, globals.ARGV = keys, arguments
  return restored(outer_keys, outer_arguments, guarded(chunk, client))
end

-- The first `count` values as one list, the others as another.
local function split(count, ...)
  local given = select("#", ...)
  if count == given then
    return { ... }, {}
  elseif count == 0 then
    return {}, { ... }
  end
  local all, keys, arguments = { ... }, {}, {}
  for position = 1, count do
    keys[position] = all[position]
  end
  for position = count + 1, given do
    arguments[position - count] = all[position]
  end
  return keys, arguments
end

local function one_key(key, ...)
  return { key }, { ... }
end

local function two_keys(key, other, ...)
  return { key, other }, { ... }
end

local function run(chunk, client, count, ...)
  if count == 1 then
    return run_with(chunk, client, one_key(...))
  elseif count == 2 then
    return run_with(chunk, client, two_keys(...))
  end
  return run_with(chunk, client, split(count, ...))
end

-- Scripts that are suspended while they wait for another shard, each a coroutine; by the number that Python gave it.
-- Only those that define no functions: these call `redis.call` themselves, never through something that Lua can't
-- suspend (`pcall`, a metamethod, an iterator).
local suspended = {}

local function proceeded(id, script, keys, arguments, outer_protocol, ok, value)
  local co = script.co
  if ok and status(co) == "suspended" then
    script.protocol = protocol
    protocol = outer_protocol
    return restored(keys, arguments, WAIT, true)
  end
  suspended[id] = nil
  if not ok then
    value = locate_in(co, value)
  end
  return restored(keys, arguments, outcome(ok, value, script.client, outer_protocol))
end

-- Run one of them on, with the answer it waits for.
local function proceed(id, ...)
  local script = suspended[id]
  local outer_keys, outer_arguments, outer_protocol = current_keys, current_arguments, protocol
  current_keys, current_arguments, protocol = script.keys, script.arguments, script.protocol
  globals.KEYS, globals.ARGV = script.keys, script.arguments
  return proceeded(id, script, outer_keys, outer_arguments, outer_protocol, resume(script.co, ...))
end

local function begin(id, chunk, client, count, ...)
  local keys, arguments = split(count, ...)
  suspended[id] = { co = hooked(chunk), keys = keys, arguments = arguments, client = client, protocol = 2 }
  return proceed(id)
end

-- Functions are handed their keys and arguments; they see no KEYS and no ARGV.
local function call_with(f, client, keys, arguments)
  return guarded(function()
    return f(keys, arguments), nil
  end, client)
end

local function call(f, client, count, ...)
  return call_with(f, client, split(count, ...))
end

-- Another world for code to live in: what scripts see but KEYS and ARGV, and the entries of `own` on top of that.
-- Returns its environment, read-only for the code in it, and the table behind, which is not.
local function new_environment(own)
  local base = {}
  for name, value in next, globals do
    base[name] = value
  end
  base.KEYS, base.ARGV = nil, nil
  for name, value in next, own do
    base[name] = value
  end
  local where = protect(setmetatable(base, getmetatable(globals)))
  base._G = where
  return where, base
end

local function extend(list, at, ...)
  for position = 1, select("#", ...) do
    list[at + position] = (select(position, ...))
  end
end

local function list(...)
  return { ... }
end

local function tagged(name, value)
  return { [name] = value }
end

local function set_item(t, key, value)
  t[key] = value
end

-- Our own code, as opposed to scripts': all of it goes by one name, see `locate`.
-- It sees what Lua's own libraries offer, as far as that is harmless.
local own = {}
for name, value in next, _G do
  own[name] = value
end
own.python, own.io, own.os, own.package, own.require, own.module = nil, nil, nil, nil, nil, nil

local function load_own(code)
  return setfenv(assert(loadstring(code, OWN_SOURCE)), own)
end

local function add_library(name, library)
  globals[name] = protect(library)
end

-- Nothing is left where a function without an environment of its own would look.
local anchor = { "debug" } -- lupa asks the globals for this name; the string must not have to be made then
local real_globals = _G
for name in pairs(real_globals) do
  rawset(real_globals, name, nil)
end

return {
  add_library = add_library,
  anchor = anchor,
  begin = begin,
  behind = behind,
  call = call,
  call_with = call_with,
  compile = load_text,
  environment = environment,
  extend = extend,
  globals = globals,
  list = list,
  load_own = load_own,
  look_at_memory = look_at_memory,
  new_environment = new_environment,
  proceed = proceed,
  protect = protect,
  redis = redis,
  run = run,
  run_with = run_with,
  set_item = set_item,
  tagged = tagged,
  memory = function() return collectgarbage("count") * 1024 end,
  collect = function() collectgarbage("collect") end,
}
