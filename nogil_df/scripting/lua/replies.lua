-- What scripts return, as RESP, in the protocol of the client and with regard to the one that the script wanted.
--
-- Called once for each runtime, with the sandbox's table of read-only faces and `format_double` of Python. Returns the
-- function that makes a result for Python of what a script returned.

local behind, format_double = ...

local byte, concat, format, gsub, next, rawget, sub, tostring, type =
  string.byte, table.concat, string.format, string.gsub, next, rawget, string.sub, tostring, type

local MAX_DEPTH = 200 -- as Redis: nested deeper than this is an error in the reply

local function one_line(text)
  return (gsub(text, "[\r\n]", " "))
end

-- The protocol that the script wanted: 2 or 3.
local wanted

local write

local function write_pairs(items, out, client)
  -- The count is known only afterwards.
  local place = #out + 1
  out[place] = ""
  local count = 0
  for key, value in next, items do
    count = count + 1
    write(key, out, client, 1)
    write(value, out, client, 1)
  end
  out[place] = client == 2 and "*" .. count * 2 .. "\r\n" or "%" .. count .. "\r\n"
end

local function write_set(items, out, client)
  local place = #out + 1
  out[place] = ""
  local count = 0
  for key in next, items do
    count = count + 1
    write(key, out, client, 1)
  end
  out[place] = (client == 2 and "*" or "~") .. count .. "\r\n"
end

local function text_of(value)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif kind == "number" then
    return tostring(value)
  end
end

local function write_table(t, out, client, depth)
  if depth > MAX_DEPTH then
    out[#out + 1] = "-ERR reached lua stack limit\r\n"
    return
  end
  local text = rawget(t, "err")
  if type(text) == "string" then
    out[#out + 1] = "-" .. one_line(byte(text, 1) == 45 and sub(text, 2) or text) .. "\r\n"
    return
  end
  text = rawget(t, "ok")
  if type(text) == "string" then
    out[#out + 1] = "+" .. one_line(text) .. "\r\n"
    return
  end
  local value = rawget(t, "double")
  if type(value) == "number" then
    local digits = format_double(value)
    out[#out + 1] = client == 3 and "," .. digits .. "\r\n" or "$" .. #digits .. "\r\n" .. digits .. "\r\n"
    return
  end
  value = rawget(t, "map")
  if type(value) == "table" then
    return write_pairs(value, out, client)
  end
  value = rawget(t, "set")
  if type(value) == "table" then
    return write_set(value, out, client)
  end
  value = rawget(t, "big_number")
  if type(value) == "string" then
    value = one_line(value)
    out[#out + 1] = client == 3 and "(" .. value .. "\r\n" or "$" .. #value .. "\r\n" .. value .. "\r\n"
    return
  end
  value = rawget(t, "verbatim_string")
  if type(value) == "table" then
    local body, kind = text_of(rawget(value, "string")), text_of(rawget(value, "format"))
    if body and kind then
      if client == 3 then
        kind = sub(kind .. "   ", 1, 3)
        out[#out + 1] = "=" .. #body + 4 .. "\r\n" .. kind .. ":" .. body .. "\r\n"
      else
        out[#out + 1] = "$" .. #body .. "\r\n" .. body .. "\r\n"
      end
      return
    end
  end
  local place = #out + 1
  out[place] = ""
  local count = 0
  while true do
    value = rawget(t, count + 1)
    if value == nil then
      break
    end
    count = count + 1
    if type(value) == "string" then
      out[#out + 1] = "$" .. #value .. "\r\n" .. value .. "\r\n"
    else
      write(value, out, client, depth + 1)
    end
  end
  out[place] = "*" .. count .. "\r\n"
end

function write(value, out, client, depth)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = "$" .. #value .. "\r\n" .. value .. "\r\n"
  elseif kind == "number" then
    out[#out + 1] = format(":%d\r\n", value)
  elseif kind == "boolean" then
    if wanted == 3 then
      out[#out + 1] = client == 3 and (value and "#t\r\n" or "#f\r\n") or (value and ":1\r\n" or ":0\r\n")
    elseif value then
      out[#out + 1] = ":1\r\n"
    else
      out[#out + 1] = client == 3 and "_\r\n" or "$-1\r\n"
    end
  elseif kind == "table" then
    write_table(behind[value] or value, out, client, depth)
  else
    out[#out + 1] = client == 3 and "_\r\n" or "$-1\r\n"
  end
end

-- Kinds of results that Python gets beside plain values.
local STATUS, ERROR, RESP = 1, 2, 3

return function(value, client, protocol)
  local kind = type(value)
  if kind == "string" or kind == "number" or value == nil then
    return value
  elseif kind == "boolean" and protocol == 2 then
    return value
  elseif kind == "table" then
    local text = rawget(value, "err")
    if type(text) == "string" then
      return ERROR, text, rawget(value, "ignore_error_stats_update") == true
    end
    text = rawget(value, "ok")
    if type(text) == "string" then
      return STATUS, text
    end
  elseif kind ~= "boolean" then
    return nil
  end
  wanted = protocol
  local out = {}
  write(value, out, client, 1)
  return RESP, concat(out)
end
