-- `cmsgpack`: MessagePack as the library lua-cmsgpack 0.4 reads and writes it, with its texts for errors.
--
-- Called with what the sandbox offers and the functions of Python: `pack_float` and `unpack_float`. Returns
-- the library.

local sandbox, host = ...

local behind = sandbox.behind
local pack_float, unpack_float = host.pack_float, host.unpack_float
local look_at_memory = sandbox.look_at_memory
local byte, char, format, sub = string.byte, string.char, string.format, string.sub
local concat, floor = table.concat, math.floor
local next, rawget, type = next, rawget, type

-- Tables nested deeper than this are written as nil.
local MAX_NESTING = 16

local library = {
  _NAME = "cmsgpack",
  _VERSION = "lua-cmsgpack 0.4.0",
  _COPYRIGHT = "Copyright (C) 2012, Redis Ltd.",
  _DESCRIPTION = "MessagePack C implementation for Lua",
}

-- Big-endian, so many bytes.
local function whole(number, size)
  if size == 1 then
    return char(number % 256)
  elseif size == 2 then
    return char(floor(number / 256) % 256, number % 256)
  end
  local low = number % 65536
  return whole(floor(number / 65536), size - 2) .. char(floor(low / 256), low % 256)
end

local function write_number(number)
  if number ~= floor(number) or number < -2 ^ 63 or number >= 2 ^ 64 then
    look_at_memory()
    return pack_float(number)
  end
  if number >= 0 then
    if number <= 127 then
      return char(number)
    elseif number <= 0xFF then
      return "\204" .. char(number)
    elseif number <= 0xFFFF then
      return "\205" .. whole(number, 2)
    elseif number <= 0xFFFFFFFF then
      return "\206" .. whole(number, 4)
    end
    return "\207" .. whole(number, 8)
  elseif number >= -32 then
    return char(256 + number)
  elseif number >= -128 then
    return "\208" .. char(256 + number)
  elseif number >= -32768 then
    return "\209" .. whole(65536 + number, 2)
  elseif number >= -2147483648 then
    return "\210" .. whole(4294967296 + number, 4)
  end
  -- The two halves apart: 2^64 + number need not be exact.
  local low = number % 4294967296
  return "\211" .. whole((number - low) / 4294967296 % 4294967296, 4) .. whole(low, 4)
end

local function write_string(text)
  local length = #text
  if length < 32 then
    return char(160 + length) .. text
  elseif length <= 0xFF then
    return "\217" .. char(length) .. text
  elseif length <= 0xFFFF then
    return "\218" .. whole(length, 2) .. text
  end
  return "\219" .. whole(length, 4) .. text
end

-- Whether its keys are 1, 2, 3... without a gap, and how many they are.
local function shape(t)
  local most, count, array = 0, 0, true
  for key in next, t do
    count = count + 1
    if type(key) ~= "number" or key <= 0 or floor(key) ~= key then
      array = false
    elseif key > most then
      most = key
    end
  end
  return array and most == count, count
end

local function head(count, small, medium, large)
  if count <= 15 then
    return char(small + count)
  elseif count <= 0xFFFF then
    return char(medium) .. whole(count, 2)
  end
  return char(large) .. whole(count, 4)
end

local function write(value, out, depth)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = write_string(value)
  elseif kind == "number" then
    out[#out + 1] = write_number(value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "\195" or "\194"
  elseif kind == "table" and depth < MAX_NESTING then
    value = behind[value] or value
    local array, count = shape(value)
    if array then
      out[#out + 1] = head(count, 144, 220, 221)
      for position = 1, count do
        write(rawget(value, position), out, depth + 1)
      end
    else
      out[#out + 1] = head(count, 128, 222, 223)
      for key, item in next, value do
        write(key, out, depth + 1)
        write(item, out, depth + 1)
      end
    end
  else
    out[#out + 1] = "\192"
  end
end

function library.pack(...)
  local count = select("#", ...)
  if count == 0 then
    error("bad argument #0 to 'pack' (MessagePack pack needs input.)", 2)
  end
  local out = {}
  for position = 1, count do
    write((select(position, ...)), out, 0)
  end
  return concat(out)
end

local MISSING, BAD = "Missing bytes in input.", "Bad data format in input."

local function need(data, at, size)
  if at + size - 1 > #data then
    error(MISSING, 0)
  end
end

local function read_whole(data, at, size)
  need(data, at, size)
  local number = 0
  for position = at, at + size - 1 do
    number = number * 256 + byte(data, position)
  end
  return number, at + size
end

local function read_signed(data, at, size)
  local number, after = read_whole(data, at, size)
  if byte(data, at) >= 128 then
    if size == 8 then
      local high, low = read_whole(data, at, 4), read_whole(data, at + 4, 4)
      return (high - 4294967296) * 4294967296 + low, after
    end
    number = number - 256 ^ size
  end
  return number, after
end

local function read_text(data, at, size)
  need(data, at, size)
  return sub(data, at, at + size - 1), at + size
end

local read

local function read_array(data, at, count)
  local array = {}
  for position = 1, count do
    array[position], at = read(data, at)
  end
  return array, at
end

local function read_map(data, at, count)
  local map = {}
  for _ = 1, count do
    local key, value
    key, at = read(data, at)
    value, at = read(data, at)
    if key == nil then
      error("table index is nil", 0)
    end
    map[key] = value
  end
  return map, at
end

function read(data, at)
  need(data, at, 1)
  local kind = byte(data, at)
  at = at + 1
  if kind < 128 then
    return kind, at
  elseif kind < 144 then
    return read_map(data, at, kind - 128)
  elseif kind < 160 then
    return read_array(data, at, kind - 144)
  elseif kind < 192 then
    return read_text(data, at, kind - 160)
  elseif kind >= 224 then
    return kind - 256, at
  elseif kind == 192 then
    return nil, at
  elseif kind == 194 or kind == 195 then
    return kind == 195, at
  elseif kind == 202 or kind == 203 then
    local size = kind == 202 and 4 or 8
    need(data, at, size)
    return unpack_float(sub(data, at, at + size - 1)), at + size
  elseif kind >= 204 and kind <= 207 then
    return read_whole(data, at, 2 ^ (kind - 204))
  elseif kind >= 208 and kind <= 211 then
    return read_signed(data, at, 2 ^ (kind - 208))
  end
  local size
  if kind >= 217 and kind <= 219 then
    size, at = read_whole(data, at, 2 ^ (kind - 217))
    return read_text(data, at, size)
  elseif kind == 220 or kind == 221 then
    size, at = read_whole(data, at, kind == 220 and 2 or 4)
    return read_array(data, at, size)
  elseif kind == 222 or kind == 223 then
    size, at = read_whole(data, at, kind == 222 and 2 or 4)
    return read_map(data, at, size)
  end
  error(BAD, 0)
end

local function read_all(data, limit, offset)
  local values, count, at = {}, 0, offset + 1
  while at <= #data and (not limit or count < limit) do
    count = count + 1
    values[count], at = read(data, at)
  end
  return values, count, at
end

local function unpacked(ok, values, count, at, limit, size)
  if not ok then
    error(values, 3)
  end
  if not limit then
    return unpack(values, 1, count)
  end
  return at > size and -1 or at - 1, unpack(values, 1, count)
end

local function given(data, name)
  if type(data) == "number" then
    return tostring(data)
  elseif type(data) ~= "string" then
    error("bad argument #1 to '" .. name .. "' (string expected, got " .. (data == nil and "no value" or
    type(data)) .. ")", 3)
  end
  return data
end

function library.unpack(data)
  data = given(data, "unpack")
  local ok, values, count = pcall(read_all, data, nil, 0)
  return unpacked(ok, values, count)
end

local function some(name, data, limit, offset)
  if offset < 0 or limit < 0 then
    error("Invalid request to unpack with offset of " .. format("%d", offset) .. " and limit of " .. #data ..
    ".", 3)
  elseif offset > #data then
    error("Start offset " .. format("%d", offset) .. " greater than input length " .. #data .. ".", 3)
  end
  local ok, values, count, at = pcall(read_all, data, limit, offset)
  return ok, values, count, at, limit, #data
end

function library.unpack_one(data, offset)
  data = given(data, "unpack_one")
  return unpacked(some("unpack_one", data, 1, tonumber(offset) or 0))
end

function library.unpack_limit(data, limit, offset)
  data = given(data, "unpack_limit")
  if not tonumber(limit) then
    error("bad argument #2 to 'unpack_limit' (number expected, got " .. (limit == nil and "no value" or
    type(limit)) .. ")", 2)
  end
  limit, offset = tonumber(limit), tonumber(offset) or 0
  if limit == 0 and offset == 0 then
    return library.unpack(data)
  end
  return unpacked(some("unpack_limit", data, limit, offset))
end

return library
