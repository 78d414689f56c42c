-- Libraries of functions: the world their code is loaded in, and `redis.register_function`.
--
-- While its code is loaded a library sees nothing but a small `redis`; afterwards its functions see what scripts
-- see, but KEYS and ARGV. Each library has an environment of its own.
--
-- Called once for each runtime, with the sandbox's table and the flags that functions may have, separated by commas,
-- in the order in which they are shown. Returns a table of functions for Python.

local sandbox, flag_names = ...

local globals, behind, protect = sandbox.globals, sandbox.behind, sandbox.protect
local error, getmetatable, next, setmetatable, tostring, type =
  globals.error, globals.getmetatable, globals.next, globals.setmetatable, globals.tostring, globals.type
local find, gmatch, lower = globals.string.find, globals.string.gmatch, globals.string.lower
local concat = globals.table.concat
local select = globals.select

-- What makes an error of reading a name that is not there.
local MISSING = getmetatable(globals)

local known_flags = {}
for flag in gmatch(flag_names, "[^,]+") do
  known_flags[#known_flags + 1] = flag
  known_flags[flag] = true
end

local function fail(text)
  error({ err = "ERR " .. text }, 0)
end

-- The library whose code is loaded now.
local loading

-- A string or a number as a string; nil if it is neither.
local function text_of(value)
  local kind = type(value)
  if kind == "string" or kind == "number" then
    return tostring(value)
  end
end

local function read_flags(given)
  if type(given) ~= "table" then
    fail("flags argument to redis.register_function must be a table representing function flags")
  end
  local has, at = {}, 1
  while given[at] ~= nil do
    local flag = text_of(given[at])
    flag = flag and lower(flag)
    if not known_flags[flag or ""] then
      fail("unknown flag given")
    end
    has[flag] = true
    at = at + 1
  end
  local flags = {}
  for position = 1, #known_flags do
    if has[known_flags[position]] then
      flags[#flags + 1] = known_flags[position]
    end
  end
  return concat(flags, ",")
end

local readers = {}

function readers.function_name(made, value)
  made.name = text_of(value) or fail("function_name argument given to redis.register_function must be a string")
end

function readers.description(made, value)
  made.description = text_of(value) or fail("description argument given to redis.register_function must be a string")
end

function readers.callback(made, value)
  if type(value) ~= "function" then
    fail("callback argument given to redis.register_function must be a function")
  end
  made.callback = value
end

function readers.flags(made, value)
  made.flags = read_flags(value)
end

local function read_named(given)
  local made = {}
  for key, value in next, behind[given] or given do
    local name = text_of(key)
    if not name then
      fail("named argument key given to redis.register_function is not a string")
    end
    local read = readers[lower(name)]
    if not read then
      fail("unknown argument given to redis.register_function")
    end
    read(made, value)
  end
  if not made.name then
    fail("redis.register_function must get a function name argument")
  end
  if not made.callback then
    fail("redis.register_function must get a callback argument")
  end
  return made
end

local function read_arguments(...)
  local count = select("#", ...)
  if count < 1 or count > 2 then
    fail("wrong number of arguments to redis.register_function")
  end
  local first, second = ...
  if count == 1 then
    if type(first) ~= "table" then
      fail("calling redis.register_function with a single argument is only applicable to Lua table "
        .. "(representing named arguments).")
    end
    return read_named(first)
  end
  local name = text_of(first)
  if not name then
    fail("first argument to redis.register_function must be a string")
  end
  if type(second) ~= "function" then
    fail("second argument to redis.register_function must be a function")
  end
  return { name = name, callback = second }
end

local function register_function(...)
  if not loading then
    fail("redis.register_function can only be called on FUNCTION LOAD command")
  end
  local made = read_arguments(...)
  if not find(made.name, "^[A-Za-z0-9_]+$") then
    fail("Library names can only contain letters, numbers, or underscores(_) and must be at least one character long")
  end
  -- FCALL does not tell upper from lower case.
  local key = lower(made.name)
  if loading.names[key] then
    fail("Function already exists in the library")
  end
  loading.names[key] = true
  loading.functions[#loading.functions + 1] = made
end

local redis = sandbox.redis

local while_loading = {
  register_function = register_function,
  log = redis.log,
  LOG_DEBUG = redis.LOG_DEBUG,
  LOG_VERBOSE = redis.LOG_VERBOSE,
  LOG_NOTICE = redis.LOG_NOTICE,
  LOG_WARNING = redis.LOG_WARNING,
  REDIS_VERSION = redis.REDIS_VERSION,
  REDIS_VERSION_NUM = redis.REDIS_VERSION_NUM,
}
local loading_face = protect(setmetatable(while_loading, MISSING))

-- What functions see: no debugger, and nothing about replication of scripts that Redis 7 left behind.
local in_functions = {}
for name, value in next, redis do
  in_functions[name] = value
end
in_functions.breakpoint, in_functions.debug, in_functions.replicate_commands = nil, nil, nil
local functions_face = protect(in_functions)

-- A world for a library. Returns the environment to compile its code in, and a handle.
local function open()
  local environment, base = sandbox.new_environment({})
  local library = { environment = environment, base = base, hidden = {}, functions = {}, names = {} }
  for name, value in next, base do
    library.hidden[name] = value
  end
  for name in next, library.hidden do
    base[name] = nil
  end
  base.redis = loading_face
  return environment, library
end

-- What runs the code of a library: to be called once, between `open` and `close`.
local function loader(library, chunk)
  return function()
    loading = library
    chunk()
  end
end

-- The code ran, or failed. Returns how many functions it registered.
local function close(library)
  loading = nil
  local base = library.base
  for name, value in next, library.hidden do
    base[name] = value
  end
  base.redis = functions_face
  library.hidden, library.names = nil, nil
  return #library.functions
end

-- The function at a position: its name, what runs it, its flags, its description or nil.
local function registered(library, position)
  local made = library.functions[position]
  return made.name, made.callback, made.flags or "", made.description
end

-- Nobody runs this library's code again, if it ever ran. Tables that are keys of `behind` and reachable from its values would stay.
local function drop(library)
  local environment, base = library.environment, library.base
  behind[getmetatable(environment)] = nil
  behind[environment] = nil
  for name in next, base do
    base[name] = nil
  end
end

return { open = open, loader = loader, close = close, registered = registered, drop = drop }
