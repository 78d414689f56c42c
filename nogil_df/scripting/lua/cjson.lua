-- `cjson`: JSON as the library lua-cjson 2.1 reads and writes it, with its texts for errors.
--
-- Called with what the sandbox offers, in an environment that has Lua's own functions. Returns the library.

local sandbox, host = ...

local behind = sandbox.behind
local byte, char, find, format, gsub, match, sub =
  string.byte, string.char, string.find, string.format, string.gsub, string.match, string.sub
local concat, floor = table.concat, math.floor
local next, rawget, tostring, tonumber, type = next, rawget, tostring, tonumber, type

local null = newproxy()

local ESCAPES = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] =
  "\\r",
  ["\t"] = "\\t", ["\127"] = "\\u007f",
}
for code = 0, 31 do
  local c = char(code)
  ESCAPES[c] = ESCAPES[c] or format("\\u%04x", code)
end

local UNESCAPES = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

-- A library with settings of its own; `cjson.new` makes another.
local function new_library()
  local sparse_convert, sparse_ratio, sparse_safe = false, 2, 10
  local encode_depth, decode_depth = 1000, 1000
  local precision = 14
  local number_format = "%.14g"
  local encode_invalid, decode_invalid = false, true
  local keep_buffer = true
  local library = { null = null, _NAME = "cjson", _VERSION = "2.1.0" }

  local function quoted(text)
    return '"' .. gsub(text, '[%z\1-\31"\\/\127]', ESCAPES) .. '"'
  end

  local function number_text(number)
    if number ~= number or number == 1 / 0 or number == -1 / 0 then
      if encode_invalid == "null" then
        return "null"
      elseif not encode_invalid then
        error("Cannot serialise number: must not be NaN or Inf", 0)
      end
      return number ~= number and "nan" or number > 0 and "inf" or "-inf"
    end
    return (format(number_format, number))
  end

  -- The length of an array, or nil for an object.
  local function array_length(t)
    local most, count = 0, 0
    for key in next, t do
      if type(key) ~= "number" or key < 1 or floor(key) ~= key then
        return nil
      end
      if key > most then
        most = key
      end
      count = count + 1
    end
    if sparse_ratio > 0 and most > count * sparse_ratio and most > sparse_safe then
      if not sparse_convert then
        error("Cannot serialise table: excessively sparse array", 0)
      end
      return nil
    end
    return most > 0 and most or nil
  end

  local write

  local function write_table(t, out, depth)
    if depth > encode_depth then
      error("Cannot serialise, excessive nesting (" .. depth .. ")", 0)
    end
    local length = array_length(t)
    if length then
      out[#out + 1] = "["
      for position = 1, length do
        if position > 1 then
          out[#out + 1] = ","
        end
        write(rawget(t, position), out, depth)
      end
      out[#out + 1] = "]"
      return
    end
    out[#out + 1] = "{"
    local first = true
    for key, value in next, t do
      local kind = type(key)
      if kind == "string" then
        key = quoted(key)
      elseif kind == "number" then
        key = '"' .. number_text(key) .. '"'
      else
        error("Cannot serialise " .. kind .. ": table key must be a number or string", 0)
      end
      out[#out + 1] = first and key or "," .. key
      out[#out + 1] = ":"
      first = false
      write(value, out, depth)
    end
    out[#out + 1] = "}"
  end

  function write(value, out, depth)
    local kind = type(value)
    if kind == "string" then
      out[#out + 1] = quoted(value)
    elseif kind == "number" then
      out[#out + 1] = number_text(value)
    elseif kind == "table" then
      write_table(behind[value] or value, out, depth + 1)
    elseif kind == "boolean" then
      out[#out + 1] = tostring(value)
    elseif kind == "nil" or value == null then
      out[#out + 1] = "null"
    else
      error("Cannot serialise " .. kind .. ": type not supported", 0)
    end
  end

  -- Errors of the functions inside carry no position; they get that of whoever called the library.
  local function raised(ok, result, ...)
    if ok then
      return result, ...
    end
    error(result, type(result) == "string" and 3 or 0)
  end

  local function encode(value)
    local out = {}
    write(value, out, 0)
    return concat(out)
  end

  function library.encode(...)
    if select("#", ...) ~= 1 then
      error("bad argument #1 to 'encode' (expected 1 argument)", 2)
    end
    return raised(pcall(encode, (...)))
  end

  -- Reading. A token is its kind, its value and where it begins; positions count from 1, as in messages.

  local function utf8(code)
    if code < 0x80 then
      return char(code)
    elseif code < 0x800 then
      return char(0xC0 + floor(code / 64), 0x80 + code % 64)
    elseif code < 0x10000 then
      return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
    end
    return char(
      0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64, 0x80 + code %
      64)
  end

  -- Returns the text, or nil and what is wrong with which position, and where to go on.
  local function read_string(text, at)
    local stop = find(text, '["\\%z\1-\31]', at + 1)
    if stop and byte(text, stop) == 34 then
      return sub(text, at + 1, stop - 1), stop + 1
    end
    local pieces = {}
    local from = at + 1
    while true do
      stop = find(text, '["\\%z]', from)
      if not stop or byte(text, stop) == 0 then
        if stop and stop <= #text then
          -- A NUL is a character like any other to us, but the end of the text to the original.
          return nil, "unexpected end of string", stop
        end
        return nil, "unexpected end of string", #text + 1
      end
      pieces[#pieces + 1] = sub(text, from, stop - 1)
      if byte(text, stop) == 34 then
        return concat(pieces), stop + 1
      end
      local c = sub(text, stop + 1, stop + 1)
      if UNESCAPES[c] then
        pieces[#pieces + 1] = UNESCAPES[c]
        from = stop + 2
      elseif c == "u" then
        local digits = match(text, "^%x%x%x%x", stop + 2)
        if not digits then
          return nil, "invalid unicode escape code", stop
        end
        local code = tonumber(digits, 16)
        from = stop + 6
        if code >= 0xD800 and code <= 0xDFFF then
          local low = match(text, "^\\u(%x%x%x%x)", from)
          low = low and tonumber(low, 16)
          if code >= 0xDC00 or not low or low < 0xDC00 or low > 0xDFFF then
            return nil, "invalid unicode escape code", stop
          end
          code = (code - 0xD800) * 1024 + (low - 0xDC00) + 0x10000
          from = from + 6
        end
        pieces[#pieces + 1] = utf8(code)
      else
        return nil, "invalid escape code", stop
      end
    end
  end

  local SYMBOLS = {
    ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END", [":"] = "T_COLON",
    [","] = "T_COMMA",
  }
  local WORDS = { { "true", "T_BOOLEAN", true }, { "false", "T_BOOLEAN", false }, { "null", "T_NULL", null } }

  local function read_number(text, at)
    local digits = match(text, "^[-+]?[0-9]+%.?[0-9]*[eE][+-]?[0-9]+", at)
      or match(text, "^[-+]?[0-9]+%.?[0-9]*", at)
    local hex = match(text, "^[-+]?0[xX]%x+", at)
    local plain = digits and not hex and not match(digits, "^-?0[0-9]") and byte(digits, 1) ~= 43
    if not plain then
      if not decode_invalid then
        return "T_ERROR", "invalid number", at
      end
      digits = hex or digits
      if not digits then
        local sign, word = match(text, "^([-+]?)(%a+)", at)
        word = word and string.lower(word) or ""
        local length = find(word, "^infinity") and 8 or (find(word, "^inf") or find(word, "^nan")) and 3
        if not length then
          return "T_ERROR", "invalid number", at
        end
        local value = sub(word, 1, 3) == "nan" and -(0 / 0) or 1 / 0
        return "T_NUMBER", sign == "-" and -value or value, at, at + #sign + length
      end
      if hex then
        local negative = sub(hex, 1, 1) == "-"
        local value = tonumber(match(hex, "%x+$"), 16)
        return "T_NUMBER", negative and -value or value, at, at + #hex
      end
    end
    return "T_NUMBER", tonumber(digits), at, at + #digits
  end

  local function token(text, at)
    at = find(text, "[^ \t\n\r]", at)
    if not at then
      return "T_END", nil, #text + 1
    end
    local c = sub(text, at, at)
    local kind = SYMBOLS[c]
    if kind then
      return kind, nil, at, at + 1
    elseif c == '"' then
      local value, after, where = read_string(text, at)
      if not value then
        return "T_ERROR", after, where
      end
      return "T_STRING", value, at, after
    elseif find(c, "[-+0-9]") then
      return read_number(text, at)
    end
    for _, word in ipairs(WORDS) do
      if sub(text, at, at + #word[1] - 1) == word[1] then
        return word[2], word[3], at, at + #word[1]
      end
    end
    if decode_invalid and find(c, "[iInN]") then
      local kind2, value, where, after = read_number(text, at)
      if kind2 == "T_NUMBER" then
        return kind2, value, where, after
      end
    elseif c == "\0" then
      return "T_END", nil, at
    end
    return "T_ERROR", "invalid token", at
  end

  local function unexpected(wanted, kind, value, at)
    error("Expected " .. wanted .. " but found " .. (kind == "T_ERROR" and value or kind) .. " at character "
    .. at, 0)
  end

  local function deeper(depth, at)
    if depth > decode_depth then
      error("Found too many nested data structures (" .. depth .. ") at character " .. at, 0)
    end
  end

  local read_value

  local function read_object(text, at, depth)
    deeper(depth, at - 1)
    local object = {}
    local kind, value, where, after = token(text, at)
    if kind == "T_OBJ_END" then
      return object, after
    end
    while true do
      if kind ~= "T_STRING" then
        unexpected("object key string", kind, value, where)
      end
      local key = value
      kind, value, where, after = token(text, after)
      if kind ~= "T_COLON" then
        unexpected("colon", kind, value, where)
      end
      kind, value, where, after = token(text, after)
      object[key], after = read_value(text, depth, kind, value, where, after)
      kind, value, where, after = token(text, after)
      if kind == "T_OBJ_END" then
        return object, after
      elseif kind ~= "T_COMMA" then
        unexpected("comma or object end", kind, value, where)
      end
      kind, value, where, after = token(text, after)
    end
  end

  local function read_array(text, at, depth)
    deeper(depth, at - 1)
    local array, count = {}, 0
    local kind, value, where, after = token(text, at)
    if kind == "T_ARR_END" then
      return array, after
    end
    while true do
      count = count + 1
      array[count], after = read_value(text, depth, kind, value, where, after)
      kind, value, where, after = token(text, after)
      if kind == "T_ARR_END" then
        return array, after
      elseif kind ~= "T_COMMA" then
        unexpected("comma or array end", kind, value, where)
      end
      kind, value, where, after = token(text, after)
    end
  end

  function read_value(text, depth, kind, value, where, after)
    if kind == "T_STRING" or kind == "T_NUMBER" or kind == "T_BOOLEAN" or kind == "T_NULL" then
      return value, after
    elseif kind == "T_OBJ_BEGIN" then
      return read_object(text, after, depth + 1)
    elseif kind == "T_ARR_BEGIN" then
      return read_array(text, after, depth + 1)
    end
    unexpected("value", kind, value, where)
  end

  local function decode(text)
    -- UTF-16 and UTF-32 are recognised by their first bytes, and refused.
    if #text >= 2 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
      error("JSON parser does not support UTF-16 or UTF-32", 0)
    end
    local kind, value, where, after = token(text, 1)
    value, after = read_value(text, 0, kind, value, where, after)
    kind, where, where = token(text, after)
    if kind ~= "T_END" then
      local _, problem, place = token(text, after)
      unexpected("the end", kind, problem, place)
    end
    return value
  end

  function library.decode(...)
    if select("#", ...) ~= 1 then
      error("bad argument #1 to 'decode' (expected 1 argument)", 2)
    end
    local text = ...
    if type(text) == "number" then
      text = tostring(text)
    elseif type(text) ~= "string" then
      error("bad argument #1 to 'decode' (string expected, got " .. (text == nil and "nil" or type(text)) ..
      ")", 2)
    end
    return raised(pcall(decode, text))
  end

  -- Settings. Each function sets what it is given and returns what holds.

  local function integer(name, position, value, low, high, old)
    if value == nil then
      return old
    end
    local number = tonumber(value)
    if not number then
      local given = type(value)
      error("bad argument #" .. position .. " to '" .. name .. "' (number expected, got " .. given .. ")", 3)
    end
    if number < low or number > high then
      local range = low .. " and " .. format("%d", high)
      error("bad argument #" .. position .. " to '" .. name .. "' (expected integer between " .. range .. ")", 3)
    end
    return floor(number)
  end

  local function switch(name, value, old)
    if value == nil then
      return old
    elseif type(value) == "boolean" then
      return value
    elseif value == "on" then
      return true
    elseif value == "off" then
      return false
    end
    error("bad argument #1 to '" .. name .. "' (invalid option '" .. tostring(value) .. "')", 3)
  end

  local MOST = 2147483647

  function library.encode_sparse_array(convert, ratio, safe)
    sparse_convert = switch("encode_sparse_array", convert, sparse_convert)
    sparse_ratio = integer("encode_sparse_array", 2, ratio, 0, MOST, sparse_ratio)
    sparse_safe = integer("encode_sparse_array", 3, safe, 0, MOST, sparse_safe)
    return sparse_convert, sparse_ratio, sparse_safe
  end

  function library.encode_max_depth(depth)
    encode_depth = integer("encode_max_depth", 1, depth, 1, MOST, encode_depth)
    return encode_depth
  end

  function library.decode_max_depth(depth)
    decode_depth = integer("decode_max_depth", 1, depth, 1, MOST, decode_depth)
    return decode_depth
  end

  function library.encode_number_precision(digits)
    precision = integer("encode_number_precision", 1, digits, 1, 14, precision)
    number_format = "%." .. precision .. "g"
    return precision
  end

  function library.encode_keep_buffer(keep)
    keep_buffer = switch("encode_keep_buffer", keep, keep_buffer)
    return keep_buffer
  end

  function library.encode_invalid_numbers(allowed)
    if allowed == "null" then
      encode_invalid = "null"
    else
      encode_invalid = switch("encode_invalid_numbers", allowed, encode_invalid)
    end
    return encode_invalid
  end

  function library.decode_invalid_numbers(allowed)
    decode_invalid = switch("decode_invalid_numbers", allowed, decode_invalid)
    return decode_invalid
  end

  function library.new()
    return new_library()
  end

  return library
end

return new_library()
