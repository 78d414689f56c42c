-- `bit` and `struct`: Lua functions over those of Python. Called with what the sandbox offers and the
-- functions of Python, which answer true and results, or false and a text. Returns both libraries.

local sandbox, host = ...

local look_at_memory = sandbox.look_at_memory

local function wrapped(f)
  local function checked(ok, ...)
    if ok then
      return ...
    end
    error((...), 3)
  end
  return function(...)
    look_at_memory()
    return checked(f(...))
  end
end

local bit, struct = {}, {}
for name in string.gmatch("tobit tohex bnot band bor bxor lshift rshift arshift rol ror bswap", "%a+") do
  bit[name] = wrapped(host["bit_" .. name])
end
for name in string.gmatch("pack unpack size", "%a+") do
  struct[name] = wrapped(host["struct_" .. name])
end

return bit, struct
