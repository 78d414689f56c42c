"""Cases of EVAL and its kin: the sandbox, conversions, errors word for word, and the libraries.

A text is a case, each of its lines a script; a line that begins with a space goes on with the one before.
They are run with two keys, k1 and k2, and two arguments, a1 and a2.

Not compared: how numbers are printed that have no short form (Redis 8 prints fewer digits than redis-server
7.0, which is compared with), and a script that fails with a table without a text (it ends redis-server 7.0).
"""

from __future__ import annotations

from nogil_df.commands.script_cache import sha1
from tests.differential.case import Book, Step, args, on, table, unordered

BOOK = Book()


# It makes up the names of its keys.
MOVE = b"for _, key in ipairs({'a', 'b', 'c'}) do redis.call('incr', key) end return redis.call('get', 'b')"
WITH_HEADER = b"#!lua\nreturn 'header'"


def _text(number: int) -> bytes:
    return b"return 'number %d'" % number


def _eval(number: int) -> Step:
    return args(b"EVAL", _text(number), b"0")


def _evalsha(number: int) -> Step:
    return args(b"EVALSHA", sha1(_text(number)), b"0")


def scripts(text: str) -> list[Step]:
    """Each line as an EVAL."""
    return [
        args(b"EVAL", line.encode("latin-1"), b"2", b"k1", b"k2", b"a1", b"a2")
        for line in text.replace("\n ", " ").strip().split("\n")
    ]


BIT = r"""
return {bit.band(0xff,0x0f),bit.bor(1,2,4),bit.bxor(5,3),bit.bnot(0),bit.lshift(1,31),bit.rshift(-1,1),
  bit.arshift(-256,4),bit.rol(0x12345678,12),bit.ror(0x12345678,12),bit.bswap(0x12345678),
  bit.tobit(0xffffffff),bit.tobit(2^40+5)}
return {bit.tohex(1),bit.tohex(-1),bit.tohex(255,4),bit.tohex(255,-4),bit.tohex(0x12345678,0),
  bit.tohex(1,100)}
return bit.band()
return bit.band("x")
return bit.band("0x10","17")
return bit.band(1.5,2.5)
return bit.lshift(1)
return bit.lshift(1,33)
return bit.tobit(0/0)
return bit.tobit(1e300)
return bit.tobit({})
return {bit.bor(1.5), bit.bor(2.5), bit.bor(-1.5), bit.tobit(4294967296.5)}
"""

STRUCT = r"""
return struct.pack(">I2i4bBhHlLTf", 258, -5, -1, 255, -300, 65535, -7, 8, 9, 1.5)
return struct.pack("<I2i4bBhHlLTd", 258, -5, -1, 255, -300, 65535, -7, 8, 9, 1.5)
return struct.pack("!4bi", 1, 2)
return struct.pack("!bd", 1, 2)
return struct.pack("!8bi4h", 1, 2, 3)
return struct.pack("s","hello")
return struct.pack("c3","hello")
return struct.pack("c0","hello")
return struct.pack("c9","hello")
return struct.pack("bxb",1,2)
return struct.pack("i33",1)
return struct.pack("I3",70000)
return struct.pack("I8",2^53)
return struct.pack("i8",-2^53)
return struct.pack("b","x")
return struct.pack("s",{})
return struct.pack("b")
return struct.pack()
return struct.pack("!3b",1)
return struct.pack("b",300)
return struct.pack("H",-1)
return struct.pack("b",1.9)
return struct.pack("f","1.5")
return {struct.unpack(">I2i4bBhH", struct.pack(">I2i4bBhH", 258, -5, -1, 255, -300, 65535))}
return {struct.unpack("s","abc\0def")}
return {struct.unpack("s","abc")}
return {struct.unpack("c2","abc")}
return {struct.unpack("bc0","\3abcd")}
return {struct.unpack("c0","abc")}
return {struct.unpack("bc0","\9abcd")}
return {struct.unpack("i4","ab")}
return {struct.unpack("i4","abcdefgh",5)}
return {struct.unpack("i4","abcdefgh",6)}
return {struct.unpack("b","abc",0)}
return {struct.unpack("b","abc",9)}
return tostring(struct.unpack("d",struct.pack("d",1.1)))
return tostring(struct.unpack("f",struct.pack("f",1.1)))
return {struct.size("bhil"),struct.size("!bhil"),struct.size("c10"),struct.size("i3x")}
return struct.size("s")
return struct.size("c0")
return struct.size("")
return struct.unpack("!4bi","\1\0\0\0\2\0\0\0")
return {struct.unpack("!4bi","\1\0\0\0\2\0\0\0")}
return {struct.unpack("L","\255\255\255\255\255\255\255\255")}
return {struct.unpack("i16",("\1"):rep(16))}
"""

CMSGPACK = r"""
return cmsgpack.pack(1,-1,127,128,255,256,65535,65536,4294967295,4294967296,-32,-33,-128,-129,-32768,
  -32769,-2147483648,-2147483649,2^53,-2^53)
return cmsgpack.pack(1.5,3.14159,1e300,-0.25)
return cmsgpack.pack("",("x"):rep(31),("x"):rep(32),("x"):rep(255),("x"):rep(256),("x"):rep(70000))
return cmsgpack.pack(nil,true,false)
return cmsgpack.pack({1,2,3},{a=1},{},{1,nil,3},{[1]=1,[3]=3})
return cmsgpack.pack()
return cmsgpack.pack(function() end, cjson.null)
local t={} for i=1,20 do t={t} end return cmsgpack.pack(t)
local t={} for i=1,17 do t[i]=i end return cmsgpack.pack(t)
return {cmsgpack.unpack(cmsgpack.pack(1,-1,127,128,255,256,65535,65536,4294967295,4294967296,-32,-33,
  -128,-129,-32768,-32769,-2147483648,-2147483649,2^53,-2^53))}
return {cmsgpack.unpack(cmsgpack.pack("a",{1,2,{3}},true,false,"b"))}
return tostring(cmsgpack.unpack(cmsgpack.pack(1.1)))
return cmsgpack.unpack(cmsgpack.pack({a={b="c"}})).a.b
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3))}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),1)}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),3)}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),4)}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),-1)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2,1)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),5)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),0)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),-1)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3))}
return cmsgpack.unpack("\193")
return cmsgpack.unpack("\146\1")
return cmsgpack.unpack("\217")
return cmsgpack.unpack("")
return cmsgpack.unpack()
return cmsgpack.unpack(5)
return cmsgpack.unpack({})
return cmsgpack.unpack("\196\3abc")
return cmsgpack.unpack("\199\1\1a")
"""

CJSON_DECODE = r"""
return cjson.decode("[1,2,3]")
return cjson.decode('{"a":1}').a
return cjson.decode('{"a":{"b":[1,2,{"c":"d"}]}}').a.b[3].c
return cjson.decode('"\\u00e9\\ud83d\\ude00\\n\\/"')
return cjson.decode('"\\ud83d"')
return cjson.decode('"\\x"')
return cjson.decode('"abc')
return cjson.decode('')
return cjson.decode(' ')
return cjson.decode('{')
return cjson.decode('[')
return cjson.decode('[1')
return cjson.decode('[1,')
return cjson.decode('[1,]')
return cjson.decode('{"a"}')
return cjson.decode('{"a":}')
return cjson.decode('{"a":1')
return cjson.decode('{"a":1,}')
return cjson.decode('{a:1}')
return cjson.decode('{1:1}')
return cjson.decode('[1 2]')
return cjson.decode('1 2')
return cjson.decode('nul')
return cjson.decode('null') == cjson.null
return cjson.decode('true')
return cjson.decode('tru')
return cjson.decode('-')
return tostring(cjson.decode('-1.5e3'))
return tostring(cjson.decode('1e400'))
return tostring(cjson.decode('0x10'))
return tostring(cjson.decode('010'))
return tostring(cjson.decode('1.'))
return tostring(cjson.decode('.5'))
return tostring(cjson.decode('+5'))
return tostring(cjson.decode('nan'))
return tostring(cjson.decode('inf'))
return tostring(cjson.decode('-inf'))
return tostring(cjson.decode('Infinity'))
return cjson.decode(123)
return cjson.decode()
return cjson.decode({})
return cjson.decode(nil)
return cjson.decode('[[[]]]')[1][1]
return cjson.decode(("["):rep(1001)..("]"):rep(1001))
return #cjson.decode(("["):rep(1000)..("]"):rep(1000))
return cjson.decode('["a\nb"]')[1]
return cjson.decode('"\1"')
return cjson.decode('\0')
return cjson.encode(cjson.decode('[1,"a",null,true,{"x":[]}]'))
return cjson.decode(cjson.encode({a={1,2,{b="c"}}})).a[3].b
"""

CJSON_ENCODE = r"""
return cjson.encode({1,2,3})
return cjson.encode({a=1})
return cjson.encode({})
return cjson.encode({1,nil,3})
return cjson.encode({[1]=1,[20]=2})
return cjson.encode({[1]=1,[3]=2})
return cjson.encode({[1.5]=1})
return cjson.encode({[true]=1})
return cjson.encode("a\"b\\c/d\n\r\t\b\f\1\127é")
return cjson.encode(1/0)
return cjson.encode(0/0)
return cjson.encode(1e20)
return cjson.encode(3.14159265358979)
return cjson.encode(123456789012345678)
return cjson.encode(function() end)
return cjson.encode()
return cjson.encode(1,2)
return cjson.encode(nil)
return cjson.encode(cjson.null)
return cjson.encode({cjson.null,true,false,"x"})
local t={} for i=1,1001 do t={t} end return cjson.encode(t)
local t={} for i=1,999 do t={t} end return #cjson.encode(t)
return cjson.encode({{1,{2,{3}}},{a={b={c=1}}}})
"""

CJSON_SETTINGS = r"""
return type(cjson.null)
return {tostring(cjson.encode_sparse_array())}
return {cjson.encode_max_depth()}
return {cjson.encode_max_depth(0)}
return {cjson.encode_number_precision()}
return {cjson.encode_number_precision(15)}
return {cjson.encode_number_precision(0)}
return cjson.encode_number_precision("x")
return tostring(cjson.encode_keep_buffer())
return tostring(cjson.encode_invalid_numbers())
return tostring(cjson.decode_invalid_numbers())
return cjson._NAME..cjson._VERSION
"""

READ_ONLY_TABLES_AND_GLOBALS = r"""
local t={} for k,v in pairs(redis.pcall("lpush","s",1)) do t[#t+1]=k.."="..tostring(v) end
  table.sort(t) return t
return _G.foo
return _G._G._G.type(1)
redis.foo=1
return redis.foo
a.b=1
f()
foo=1
return foo
KEYS={} return 1
_G.x=1
rawset(_G,"x",1)
rawset(_G,"KEYS",1)
setmetatable(_G,{})
string.x=1
table.insert(string,1)
table.insert(redis,1)
getmetatable("").__index=1
getmetatable(_G).__index=1
return type(getmetatable(_G))
return type(getmetatable(""))
setmetatable(redis,{})
rawset(redis,"call",1)
rawset(string,"x",1)
local t={} for k,v in pairs(_G) do t[#t+1]=k end table.sort(t) return #t > 20
local t={} for k,v in pairs(redis) do t[#t+1]=k end table.sort(t) return table.concat(t," ")
local t={} for k,v in pairs(string) do t[#t+1]=k end table.sort(t) return table.concat(t," ")
local t={} for k,v in pairs(table) do t[#t+1]=k end table.sort(t) return table.concat(t," ")
local t={} for k,v in pairs(math) do t[#t+1]=k end table.sort(t) return table.concat(t," ")
local t={} for k,v in pairs(coroutine) do t[#t+1]=k end table.sort(t) return table.concat(t," ")
local t={} for k,v in pairs(cjson) do t[#t+1]=k end table.sort(t) return table.concat(t," ")
local t={} for k,v in pairs(cmsgpack) do t[#t+1]=k end table.sort(t) return table.concat(t," ")
local t={} for k,v in pairs(bit) do t[#t+1]=k end table.sort(t) return table.concat(t," ")
local t={} for k,v in pairs(struct) do t[#t+1]=k end table.sort(t) return table.concat(t," ")
return print
return dofile
return require
return package
return io
return debug
return newproxy
return getfenv
return setfenv
return module
return python
return loadfile
local f=coroutine.wrap(function() error("in co") end) f()
local f=coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end) return {f(),f()}
local f=coroutine.wrap(function() return redis.call("ping") end) return f()
rawset({},nil,1)
local function f() return f() end local ok=1 return ok
"""

CODE_FROM_TEXT = r"""
return load("x")
return loadstring("return 1")()
return {loadstring("retur")}
return loadstring("return 1","=name")()
return loadstring("error('x')","=name")()
return loadstring("x=1")()
return loadstring(string.dump(function() return 1 end))()
return {loadstring("\27Lua")}
local n=0 return load(function() n=n+1 if n==1 then return "return 7" end end)()
"""

REDIS_FUNCTIONS = r"""
return redis.error_reply("x y")
return redis.error_reply("-x y")
return redis.error_reply("xy")
return redis.error_reply(5)
return redis.error_reply()
return redis.status_reply("x")
return redis.status_reply()
return redis.sha1hex()
return redis.sha1hex("abc")
return redis.sha1hex(5)
return redis.sha1hex({})
return redis.log()
return redis.log(1)
return redis.log("a","b")
return redis.log(10,"b")
return redis.log(redis.LOG_DEBUG,"b")
return redis.setresp()
return redis.setresp(4)
return redis.setresp("3")
return redis.set_repl()
return redis.set_repl(9)
return redis.set_repl(redis.REPL_ALL)
return redis.acl_check_cmd("nosuch")
return redis.acl_check_cmd()
return tostring(redis.acl_check_cmd("set","a","b"))
return redis.breakpoint()
return redis.debug("a")
return tostring(redis.replicate_commands())
"""

COMMANDS = r"""
return redis.call("set","a","b") + 1
redis.call("set","s","v") redis.call("lpush","s",1)
return redis.pcall("lpush","s",1)
return redis.pcall("lpush","s",1).err
return {pcall(redis.call,"lpush","s",1)}
local a,b=pcall(redis.call,"nosuch","s",1) return {tostring(a),tostring(b)}
redis.call("set","i",5) redis.call("incrby","i","x")
return redis.call("eval","return 1",0)
return redis.call("subscribe","x")
return redis.call("multi")
return redis.call("client","id")
return redis.call("config","get","x")
return redis.call("client","nosuch")
return redis.call("script","load","x")
redis.call("set","x")
redis.call(1,2)
return redis.call("PING")
return redis.call("echo",true)
return redis.pcall()
return redis.pcall({})
return redis.pcall("nosuch")
return redis.pcall("get")
redis.setresp(3) return redis.call("config")
return redis.call("dbsize","x")
return redis.call("exec")
return redis.call("time")[3]
return redis.call("mget","k1","nokey")
return redis.call("type","k1")
return redis.call("set","k1","1","nx")
return redis.call("lpop","nolist")
redis.setresp(3) return tostring(redis.call("get","nokey"))
return tostring(redis.call("get","nokey"))
return tostring(redis.call("lrange","nolist",0,-1))=="x"
return #redis.call("lrange","nolist",0,-1)
return redis.call("object","encoding","k1")
return redis.call("object","nosuch","k1")
return redis.call("object","help")[1]
return redis.call("publish","ch","m")
return redis.call("expire","nokey",5)
return redis.call("auth","x")
return redis.call("hello")
return redis.call("reset")
return redis.call("quit")
return redis.call("monitor")
return redis.call("watch","x")
return redis.call("unwatch")
return redis.call("discard")
return redis.call("shutdown")
return redis.call("GET","k1","k2")
return redis.call("get","k1")..redis.call("get",KEYS[2])
"""

ERRORS = r"""
error()
error("x",0)
error(5)
error({err="-My err"})
return KEYS[3].x
local a,b=pcall(error,"boo") return {tostring(a),tostring(b)}
local a,b=pcall(function() error("boo") end) return {tostring(a),tostring(b)}
local a,b=xpcall(function() error("boo") end, function(e) return "H:"..e end) return {tostring(a),
  tostring(b)}
local x = {} x.x.x = 1
goto x
return 1 return 2
local t=nil; t()
return ("x"):bad()
return #nil
return {} < {}
return 1 .. {}
for i=1,"x" do end
assert(false)
assert(false,"msg")
assert(nil,{err="X y"})
return {coroutine.resume(coroutine.create(function() error("x") end))}
"""

RESULTS = r"""
return {err="MY err"}
return {err="MY err", x=1}
return KEYS.x
return {1,nil,2}
return 3.99
return {double=3.5}
return {map={a=1}}
return {set={a=1}}
return {big_number="123"}
return {verbatim_string={string="abc",format="txt"}}
return {ok="fine\r\nx"}
return {err="bad\r\nx"}
return true
return false
return nil
return
return "a","b"
return function() end
return -3.99
return 1e300
return 0/0
return 1/0
return {1,{2,{3,{4}}}}
return coroutine
return {ok=5}
return {err=5}
return {ok={}}
return {double="x"}
return {1,2,ok="x"}
return {1,false,true,"a",3.7,{ok="st"},{err="er"}}
redis.setresp(3) return {1,false,true,"a",3.7,{ok="st"},{err="er"},{double=1.5},{map={a=1}},
  {set={x=true}}}
redis.setresp(3) return true
redis.setresp(3) return false
return unpack
return #KEYS
return cjson.null
return "\0abc"
KEYS[1]="z" return KEYS
local t={1,2} table.insert(t,1,0) return t
local t={1,2} table.insert(t,"x",0) return t
return table.remove({1,2,3})
return table.remove({1,2,3},1)
return table.concat({1,2,3},",")
return table.concat({1,{},3},",")
return table.getn({1,2})
return table.maxn({1,2,[10]=1})
return {math.floor(-3.5),math.ceil(3.2),math.max(1,5,3),math.fmod(7,3),math.huge==1/0}
return {KEYS,ARGV}
return ARGV[1]..ARGV[2]
return ARGV[3]
ARGV[1]=5 return ARGV
"""

COROUTINES = r"""
local co=coroutine.create(function(a) local b=coroutine.yield(a+1) return b*2 end) local _,
  x=coroutine.resume(co,1) local _,y=coroutine.resume(co,10) return {x,y,coroutine.status(co)}
coroutine.create(5)
"""

RANDOM_NUMBERS = r"""
math.randomseed(7) return {tostring(math.random()),math.random(10),math.random(5,9)}
math.randomseed(7) return math.random(0)
return math.random(5,1)
return math.random(1,2,3)
return math.random("x")
return math.randomseed()
return math.randomseed("x")
math.randomseed(-5) return tostring(math.random())
math.randomseed(1.9) return tostring(math.random())
"""

TABLES = r"""
table.remove(redis)
table.sort(redis)
return table.insert()
return table.insert({})
return table.insert({},1,2,3)
return table.insert(nil,1)
local t={3,1,2} table.sort(t) return t
local t={3,1,2} table.sort(t,function(a,b) return a>b end) return t
local t={3,"x",2} table.sort(t) return t
return next({})
return {next({5})}
return next(5)
return {pairs({})}
pairs(nil)
pairs()
pairs(5)
ipairs()
return rawget({a=1},"a")
rawget(5,1)
return rawequal(1,1)
"""

STRINGS_NUMBERS_AND_THE_REST = r"""
return string.rep()
return tostring(nil)..tostring(1e15)..tostring(2^53)
return _VERSION
return tonumber()
return {select("#",1,2,3),select(2,"a","b")}
select(0)
return type(nil)
type()
return tostring(true)
return {string.byte("abc",1,-1)}
return string.char(65,66)
return string.format("%5.2f|%d|%s|%q|%x",3.14159,42,"hi","a\nb",255)
return string.format("%d","x")
return {string.find("hello world","o w")}
return {string.gsub("hello","l","L")}
return string.gsub("hello","(l)(l)","%2%1")
local t={} for w in string.gmatch("one two","%a+") do t[#t+1]=w end return t
return string.len("a\0b")
return ("x"):rep(3)..("ABC"):lower()..("abc"):upper():reverse()
return ("abc"):sub(-2)
return collectgarbage("count") > 0
return collectgarbage()
return collectgarbage("step")
return type(gcinfo())
local s=0 for i=1,1000 do s=s+i end return s
"""

DATA = """
return redis.call("mget", "k1", "nokey")
return redis.call("type", "k1")
return redis.call("set", "k1", "1", "nx")
return redis.call("set", "k1", "1", "get")
return redis.call("exists", "k1", "k9")
return redis.call("del", "k9")
return redis.call("incrbyfloat", "fl", "1.5")
return redis.call("getrange", "k1", 0, -1)
redis.call("rpush", "li", 1, 2, 3) return redis.call("lrange", "li", 0, -1)
return redis.call("lpop", "li")
return redis.call("lpop", "nolist")
return redis.call("incr", "k1") + redis.call("incr", KEYS[2])
redis.call("sadd", "se", "a") return redis.call("smembers", "se")
redis.setresp(3) return redis.call("smembers", "se")
redis.setresp(3) return redis.call("smembers", "se").set.a
redis.call("hset", "ha", "f", "v") return redis.call("hgetall", "ha")
redis.setresp(3) return redis.call("hgetall", "ha")
redis.setresp(3) return redis.call("hgetall", "ha").map.f
redis.setresp(3) return redis.call("hgetall", "ha").f
redis.setresp(3) return tostring(redis.call("get", "nokey"))
return tostring(redis.call("get", "nokey"))
return #redis.call("lrange", "nolist", 0, -1)
redis.call("select", 3) redis.call("set", "there", "x") return redis.call("dbsize")
return redis.call("exists", "there")
local t = redis.call("keys", "*") table.sort(t) return t
for i, k in ipairs(KEYS) do redis.call("set", k, i) end return redis.call("mget", unpack(KEYS))
return redis.call("set", "k" .. 3, ARGV[1])
redis.call("rename", "k3", "k4") return redis.call("get", "k4")
redis.call("lpush", "k1", 1) return 1
redis.pcall("lpush", "k1", 1) return redis.call("get", "k1")
return redis.call("flushall")
return redis.call("dbsize")
"""

BOOK.add(
    table(
        "eval",
        {
            "bit": scripts(BIT),
            "struct": scripts(STRUCT),
            "cmsgpack": scripts(CMSGPACK),
            "cjson: decode": scripts(CJSON_DECODE),
            "cjson: encode": scripts(CJSON_ENCODE),
            "cjson: settings": scripts(CJSON_SETTINGS),
            "read-only tables and globals": scripts(READ_ONLY_TABLES_AND_GLOBALS),
            "code from text": scripts(CODE_FROM_TEXT),
            "redis functions": scripts(REDIS_FUNCTIONS),
            "commands": scripts(COMMANDS),
            "errors": scripts(ERRORS),
            "results": scripts(RESULTS),
            "coroutines": scripts(COROUTINES),
            "random numbers": scripts(RANDOM_NUMBERS),
            "tables": scripts(TABLES),
            "strings, numbers and the rest": scripts(STRINGS_NUMBERS_AND_THE_REST),
            "data": scripts(DATA),
        },
        setup=["SET k1 5"],
        needs=("scripting", "list", "set", "hash"),
    )
)

BOOK.add(
    table(
        "eval",
        {
            "number of keys": [
                'EVAL "return 1"',
                'EVAL "return 1" x',
                'EVAL "return 1" -1',
                'EVAL "return 1" 1',
                'EVAL "return 1" 1 a b',
                'EVAL "return #KEYS" 2 a b',
                'EVAL "return #ARGV" 1 a b c',
                'EVAL "return 1" 99999999999999999999',
            ],
            "sha": [
                "SCRIPT FLUSH",
                "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
                'EVAL "return 1" 0',
                "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
                "EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0",
                "EVALSHA e0e1 0",
                "EVALSHA e0e1 x",
                "EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
            ],
            "script load": [
                "SCRIPT FLUSH",
                'SCRIPT LOAD "return 2"',
                'SCRIPT LOAD "return 2"',
                'SCRIPT LOAD "retur"',
                "SCRIPT EXISTS 7f923f79fe76194c868d7e1d0820de36700eb649 x",
                "EVALSHA 7f923f79fe76194c868d7e1d0820de36700eb649 0",
                "SCRIPT FLUSH SYNC",
                "SCRIPT EXISTS 7f923f79fe76194c868d7e1d0820de36700eb649",
                "SCRIPT FLUSH ASYNC",
                "SCRIPT FLUSH NEVER",
                "SCRIPT FLUSH SYNC x",
                "SCRIPT EXISTS",
                "SCRIPT NOSUCH",
                "SCRIPT KILL",
            ],
            "known on every connection": [
                'SCRIPT LOAD "return 3"',
                *[on(i, "EVALSHA 3e48ba6c5c1d9b8aa8a68a5d8ab2ff7c0e6cf1ff 0") for i in range(4)],
                'EVAL "return 4" 0',
                *[on(i, "SCRIPT EXISTS 2067d915024a3e1657c4169c84f809f8ebbb3e6f") for i in range(4)],
            ],
            "read-only": [
                "EVAL_RO \"return redis.call('set', KEYS[1], 1)\" 1 k",
                "EVAL_RO \"return redis.call('get', KEYS[1])\" 1 k1",
                "EVAL_RO \"return redis.call('get', 'k1')\" 0",
                "EVAL_RO \"return redis.pcall('set', 'k1', 1)\" 0",
                'EVAL_RO "#!lua\\nreturn 1" 0',
                'EVAL_RO "#!lua flags=no-writes\\nreturn 1" 0',
            ],
            "flags": [
                'EVAL "#!lua\\nreturn 1" 0',
                'EVAL "#!lua flags=\\nreturn 1" 0',
                'EVAL "#!lua flags=no-writes,allow-oom,allow-stale,no-cluster\\nreturn 1" 0',
                'EVAL "#!lua flags=bogus\\nreturn 1" 0',
                'EVAL "#!lua bogus=1\\nreturn 1" 0',
                'EVAL "#!python\\nreturn 1" 0',
                'EVAL "#!lua" 0',
                'EVAL "#!" 0',
                'EVAL "#! lua\\nreturn 1" 0',
                'EVAL "#!lua\\n\\nreturn x" 0',
                "EVAL \"#!lua flags=no-writes\\nreturn redis.call('set', 'a', 1)\" 0",
                "EVAL \"#!lua flags=no-writes\\nreturn redis.call('get', 'k1')\" 0",
            ],
            "help": [unordered("SCRIPT NOSUCH x")],
        },
        setup=["SET k1 5"],
        needs=("scripting",),
    )
)

BOOK.add(
    table(
        "eval in transactions",
        {
            "writes": ["MULTI", "EVAL \"return redis.call('incr', KEYS[1])\" 1 n", "INCR n", "EXEC", "GET n"],
            "undeclared": [
                "MULTI",
                "EVAL \"return redis.call('incr', 'n')\" 0",
                "INCR m",
                "EXEC",
                "MGET n m",
            ],
            "an error": ["MULTI", 'EVAL "return foo" 0', "INCR n", "EXEC", "GET n"],
            "no script": ["MULTI", "EVALSHA x 0", "INCR n", "EXEC", "GET n"],
            "watch": [
                "SET n 1",
                "WATCH n",
                on(1, "EVAL \"return redis.call('incr', KEYS[1])\" 1 n"),
                "MULTI",
                "INCR n",
                "EXEC",
                "GET n",
            ],
            "watch, read only": [
                "SET n 1",
                "WATCH n",
                on(1, "EVAL \"return redis.call('get', KEYS[1])\" 1 n"),
                "MULTI",
                "INCR n",
                "EXEC",
            ],
        },
        needs=("scripting",),
        multi=False,
    )
)
BOOK.add(
    table(
        "scripts that were not run",
        {
            "aborted": ["MULTI", _eval(1), "NOSUCH", "EXEC", _evalsha(1)],
            "discarded": ["MULTI", _eval(1), "DISCARD", _evalsha(1)],
            "a watched key changed": [
                "WATCH k",
                on(1, "SET k v"),
                "MULTI",
                _eval(1),
                _eval(2),
                "EXEC",
                _evalsha(1),
                _evalsha(2),
                args(b"SCRIPT", b"EXISTS", sha1(_text(1)), sha1(_text(2))),
            ],
            "known from the first of them on": [
                "MULTI",
                _evalsha(1),
                _eval(1),
                _evalsha(1),
                "EXEC",
                _evalsha(1),
            ],
            "does not compile": [
                "MULTI",
                "EVAL '}' 0",
                _evalsha(1),
                "EXEC",
                args(b"EVALSHA", sha1(b"}"), b"0"),
            ],
            "loaded by the same": [
                "MULTI",
                args(b"SCRIPT", b"LOAD", MOVE),
                args(b"EVALSHA", sha1(MOVE), b"0"),
                "MSET a 5 b 6 c 7",
                args(b"EVALSHA", sha1(MOVE), b"0"),
                "EXEC",
                "MGET a b c",
            ],
            "flushed by the same": [_eval(1), "MULTI", "SCRIPT FLUSH", _evalsha(1), "EXEC", _evalsha(1)],
            "too many keys": ["EVAL 'return 9' 1", args(b"EVALSHA", sha1(b"return 9"), b"0")],
            "out of memory": [
                "CONFIG SET maxmemory 1",
                args(b"EVAL", WITH_HEADER, b"0"),
                "MULTI",
                args(b"EVAL", WITH_HEADER, b"0"),
                "EXEC",
                "CONFIG SET maxmemory 0",
                args(b"EVALSHA", sha1(WITH_HEADER), b"0"),
            ],
            "read-only, of one that may write": [
                args(b"EVAL_RO", WITH_HEADER, b"0"),
                args(b"EVALSHA", sha1(WITH_HEADER), b"0"),
            ],
        },
        setup=["SCRIPT FLUSH"],
        needs=("scripting",),
        multi=False,
    )
)
BOOK.add(
    table(
        "script, pairs",
        {
            f"{command}, RESP{protocol}": [
                "ZADD z 1 a 2.5 b",
                "HSET h f v",
                f'EVAL "redis.setresp({protocol}) '
                f"return redis.call('{command.replace(' ', "', '")}')\" 2 z h",
                f'EVAL "redis.setresp({protocol}) '
                f"return #redis.call('{command.replace(' ', "', '")}')\" 2 z h",
            ]
            for command in (
                "ZRANGE z 0 -1 WITHSCORES",
                "ZREVRANGEBYSCORE z +inf -inf WITHSCORES",
                "ZPOPMIN z",
                "ZPOPMIN z 2",
                "ZUNION 1 z WITHSCORES",
                "HRANDFIELD h 1 WITHVALUES",
                "HGETALL h",
                "ZMPOP 1 z MIN",
                "ZSCORE z b",
            )
            for protocol in (2, 3)
        },
        needs=("scripting",),
        multi=False,
    )
)
