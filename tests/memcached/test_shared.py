"""What Memcached's clients and Redis's clients see of each other, and what concerns the server as a whole."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator

import pytest

from nogil_df.memcached.administration import DUMP_AHEAD
from tests.memcached.servers import NogilMemcached, exchange
from tests.patience import PATIENCE
from tests.resp import Connection, Reply
from tests.servers import free_port

OK = Reply("+", b"OK")


@pytest.fixture(scope="module", params=(1, 3))
def server(request: pytest.FixtureRequest) -> Iterator[NogilMemcached]:
    """A server."""
    with NogilMemcached(threads=request.param) as it:
        assert isinstance(it, NogilMemcached)
        yield it


@pytest.fixture
def redis(server: NogilMemcached) -> Iterator[Connection]:
    """A client of Redis's protocol, of an empty server."""
    server.flush()
    with server.connect() as connection:
        yield connection


def say(server: NogilMemcached, *lines: str) -> list[str]:
    """The lines of the replies to lines of a Memcached client."""
    request = "".join([line + "\r\n" for line in lines]).encode()
    return exchange(server.memcached_port, request).decode().split("\r\n")[:-1]


def cas_of(server: NogilMemcached, key: str) -> int:
    """The cas unique of a key."""
    return int(say(server, f"gets {key}")[0].split()[-1])


def test_strings_are_shared_both_ways(server: NogilMemcached, redis: Connection) -> None:
    assert say(server, "set a 0 0 5", "hello", "set f 7 100 2", "hi") == ["STORED", "STORED"]
    assert redis.execute("GET", "a").value == b"hello"
    assert redis.execute("MGET", "a", "f", "none").value[1].value == b"hi"
    assert 95 < redis.execute("TTL", "f").value <= 100
    assert redis.execute("TYPE", "f").value == b"string"
    assert redis.execute("OBJECT", "ENCODING", "f").value == b"embstr"
    assert redis.execute("STRLEN", "f").value == 2
    assert redis.execute("SETBIT", "f", "7", "1").value == 0
    assert redis.execute("SET", "r", "from redis", "EX", "50") == OK
    assert say(server, "get r f") == ["VALUE r 0 10", "from redis", "VALUE f 7 2", "ii", "END"]
    assert say(server, "mg r t f") == ["HD t50 f0"]
    # Another database is another thing.
    assert redis.execute("SELECT", "1") == OK
    assert redis.execute("GET", "a").value is None


IN_PLACE = [
    ("SETBIT", 7, 1),
    ("BITFIELD", "SET", "u8", 8, 105, "GET", "i5", 3, "INCRBY", "u2", 100, 3),
    ("SETRANGE", 1, "ello"),
    ("APPEND", "more"),
    ("GETBIT", 3),
    ("BITCOUNT", 0, 5, "BIT"),
    ("BITPOS", 1),
    ("BITFIELD_RO", "GET", "u8", 1),
    ("GETRANGE", 0, -1),
]


def test_a_string_with_flags_is_changed_in_place_like_any_other(
    server: NogilMemcached, redis: Connection
) -> None:
    say(server, "set f 7 0 2", "hi")
    redis.execute("SET", "plain", "hi")
    for command, *rest in IN_PLACE:
        found = redis.execute(command, "f", *rest)
        assert found == redis.execute(command, "plain", *rest)
        assert found.kind != "-"
    value = redis.execute("GET", "plain").value
    assert exchange(server.memcached_port, b"get f\r\n") == b"VALUE f 7 %d\r\n%b\r\nEND\r\n" % (
        len(value),
        value,
    )
    assert redis.execute("BITOP", "XOR", "none", "f", "plain").value == len(value)
    assert redis.execute("BITCOUNT", "none").value == 0


def test_a_string_with_flags_may_be_a_hyperloglog(server: NogilMemcached, redis: Connection) -> None:
    for count in (3, 3000):
        redis.execute("PFADD", "plain", *(f"element:{number}" for number in range(count)))
        value = redis.execute("GET", "plain").value
        stored = exchange(server.memcached_port, b"set f 7 0 %d\r\n%b\r\n" % (len(value), value))
        assert stored == b"STORED\r\n"
        assert redis.execute("PFCOUNT", "f") == redis.execute("PFCOUNT", "plain")
        for key in ("f", "plain"):
            assert redis.execute("PFADD", key, "another", f"and {count}").value == 1
        assert redis.execute("GET", "f") == redis.execute("GET", "plain")
        assert redis.execute("PFMERGE", "both", "f", "plain") == OK
        assert redis.execute("PFCOUNT", "both") == redis.execute("PFCOUNT", "f", "plain")
        assert exchange(server.memcached_port, b"get f\r\n").startswith(b"VALUE f 7 ")


def test_flags_last_until_somebody_else_stores_the_key(server: NogilMemcached, redis: Connection) -> None:
    say(server, "set k 9 0 1", "5")
    redis.execute("APPEND", "k", "0")
    redis.execute("EXPIRE", "k", "100")
    redis.execute("RENAME", "k", "renamed")
    redis.execute("COPY", "renamed", "copied")
    assert say(server, "get renamed copied") == ["VALUE renamed 9 2", "50", "VALUE copied 9 2", "50", "END"]
    assert say(server, "incr renamed 1", "get renamed") == ["51", "VALUE renamed 9 2", "51", "END"]
    redis.execute("SET", "renamed", "x")
    assert say(server, "get renamed") == ["VALUE renamed 0 1", "x", "END"]
    payload = redis.execute("DUMP", "copied").value
    assert redis.execute("RESTORE", "restored", "0", payload) == OK
    assert say(server, "get restored") == ["VALUE restored 0 2", "50", "END"]
    assert redis.execute("DEBUG", "VERIFY").kind != "-"


def test_other_types_are_a_miss_and_make_way(server: NogilMemcached, redis: Connection) -> None:
    redis.execute("RPUSH", "list", "a", "b")
    assert say(server, "get list", "gets list", "mg list v", "touch list 10", "append list 0 0 1", "x") == [
        *("END", "END", "EN", "TOUCHED", "NOT_STORED")
    ]
    assert say(server, "add list 0 0 1", "x", "incr list 1", "cas list 0 0 1 5", "x") == [
        "NOT_STORED",
        "CLIENT_ERROR cannot increment or decrement non-numeric value",
        "NOT_FOUND",
    ]
    assert redis.execute("LLEN", "list").value == 2
    assert say(server, "set list 0 0 1", "x", "get list") == ["STORED", "VALUE list 0 1", "x", "END"]


def test_cas_fails_after_any_change(server: NogilMemcached, redis: Connection) -> None:
    say(server, "set k 0 0 1", "a")
    unique = cas_of(server, "k")
    assert cas_of(server, "k") == unique
    changes = [
        lambda: say(server, "set k 0 0 1", "a"),
        lambda: redis.execute("SET", "k", "a"),
        lambda: redis.execute("APPEND", "k", "b"),
        lambda: redis.execute("SETRANGE", "k", "0", "z"),
        lambda: redis.execute("SETBIT", "k", "1", "1"),
        lambda: say(server, "append k 0 0 1", "x"),
        lambda: say(server, "delete k", "add k 0 0 1", "a"),
    ]
    for change in changes:
        unique = cas_of(server, "k")
        change()
        assert say(server, f"cas k 0 0 1 {unique}", "n") == ["EXISTS"]
    unique = cas_of(server, "k")
    say(server, "touch k 100")
    assert say(server, f"cas k 3 0 1 {unique}", "n", "get k") == ["STORED", "VALUE k 3 1", "n", "END"]
    assert say(server, f"cas k 3 0 1 {unique}", "n") == ["EXISTS"]


def test_meta_commands_give_and_compare_uniques(server: NogilMemcached, redis: Connection) -> None:
    assert say(server, "ms k 1 E1000 c", "a") == ["HD c1000"]
    assert say(server, "ms k 1 C999", "b", "ms k 1 C1000 E1001", "b", "mg k c v") == [
        *("EX", "HD", "VA 1 c1001", "b")
    ]
    assert say(server, "ms k 1 C1 I", "z", "mg k v") == ["HD", "VA 1 X W", "z"]
    assert say(server, "mg k v", "ms k 1", "y", "mg k v") == ["VA 1 Z X", "z", "HD", "VA 1", "y"]
    assert say(server, "ms n 1", "5", "ma n E77 c v", "md n C76", "md n C77") == [
        "HD",
        "VA 1 c77",
        "6",
        "EX",
        "HD",
    ]


def test_who_waits_is_told_of_changes(server: NogilMemcached, redis: Connection) -> None:
    redis.execute("SET", "watched", "1")
    redis.execute("WATCH", "watched")
    say(server, "incr watched 1")
    redis.execute("MULTI")
    redis.execute("GET", "watched")
    assert redis.execute("EXEC").value is None


def test_flush_all_with_a_delay_is_a_date(server: NogilMemcached, redis: Connection) -> None:
    stored = ["VALUE a 0 1", "x", "END"]
    assert say(server, "set a 0 0 1", "x", "flush_all 100", "get a") == ["STORED", "OK", *stored]
    assert say(server, "flush_all 1") == ["OK"]
    redis.execute("SELECT", "1")
    redis.execute("SET", "elsewhere", "1")
    deadline = time.monotonic() + PATIENCE
    while say(server, "get a") != ["END"]:
        assert time.monotonic() < deadline
    assert redis.execute("GET", "elsewhere").value == b"1"
    # A later one takes the place of an earlier one.
    assert say(server, "flush_all 1", "flush_all 100", "set a 0 0 1", "x") == ["OK", "OK", "STORED"]
    with server.connect() as other:
        assert other.execute("BLPOP", "nothing", "1.3").value is None
    assert say(server, "get a") == stored
    say(server, "flush_all")


def figures(server: NogilMemcached, *words: str) -> dict[str, str]:
    """What ``stats`` tells, by name."""
    found = say(server, " ".join(["stats", *words]))
    assert found.pop() == "END"
    matches = [re.fullmatch(r"STAT (\S+) (.*)", line) for line in found]
    return {match[1]: match[2] for match in matches if match is not None}


def test_statistics(server: NogilMemcached, redis: Connection) -> None:
    assert say(server, "stats reset") == ["RESET"]
    say(server, "set a 0 0 1", "1", "set b 0 0 1 noreply", "x", "get a b c", "get none", "delete none")
    say(server, "incr a 1", "incr none 1", "touch a 0", "gets a", "cas a 0 0 1 1", "z", "mg a", "delete b")
    shown = figures(server)
    wanted = {
        "cmd_get": "6",
        "get_hits": "4",
        "get_misses": "2",
        "cmd_set": "3",
        "delete_hits": "1",
        "delete_misses": "1",
        "incr_hits": "1",
        "incr_misses": "1",
        "cmd_touch": "1",
        "touch_hits": "1",
        "cas_badval": "1",
        "cmd_meta": "1",
        "curr_items": "1",
        "threads": str(server.threads),
    }
    assert {name: shown[name] for name in wanted} == wanted
    assert int(shown["bytes"]) > 0
    assert int(shown["pid"]) == server.pid
    settings = figures(server, "settings")
    assert settings["tcpport"] == str(server.memcached_port)
    assert settings["item_size_max"] == "1048576"
    assert figures(server, "items")["items:1:number"] == "1"
    assert figures(server, "slabs")["1:cmd_set"] == "3"
    assert any(name.endswith(":addr") for name in figures(server, "conns"))
    assert say(server, "stats cachedump 1 10") == ["ITEM a [1 b; 0 s]", "END"]


def test_metadump_names_every_string(server: NogilMemcached, redis: Connection) -> None:
    for number in range(3000):
        redis.execute("SET", f"key {number}", number)
    redis.execute("RPUSH", "list", "x")
    received = exchange(server.memcached_port, b"lru_crawler metadump all\r\n").decode().split("\n")
    assert received[-2:] == ["END\r", ""]
    names = {line.split()[0] for line in received[:-2]}
    assert names == {f"key=key%20{number}" for number in range(3000)}
    assert re.fullmatch(r"key=\S+ exp=-1 la=\d+ cas=0 fetch=no cls=1 size=\d+", received[0])


def test_metadump_waits_for_a_client_that_reads_slowly(server: NogilMemcached, redis: Connection) -> None:
    count, name = 60_000, b"long-name-" * 10
    assert redis.execute("DEBUG", "POPULATE", count, name, 1) == OK
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", server.memcached_port))
        sock.sendall(b"lru_crawler metadump all\r\n")
        while unread_by(redis, b"scan") <= DUMP_AHEAD:
            pass
        # Each question turns the loop, so the dump would go on if it did not wait.
        assert max(unread_by(redis, b"scan") for _ in range(100)) < 2 * DUMP_AHEAD
        received = bytearray()
        while not received.endswith(b"END\r\n"):
            piece = sock.recv(1 << 16)
            assert piece
            received += piece
    assert received.count(b"\n") == count + 1


def unread_by(redis: Connection, command: bytes) -> int:
    """Bytes of replies that the client which runs a command, by Redis's name, has not taken yet."""
    found = re.search(rb" omem=(\d+) .* cmd=" + command, redis.execute("CLIENT", "LIST").value)
    return int(found[1]) if found else 0


def test_redis_sees_clients_and_commands_of_memcached(server: NogilMemcached, redis: Connection) -> None:
    with server.connect() as monitor:
        assert monitor.execute("MONITOR") == OK
        say(server, "set seen 5 0 2", "hi", "get seen")
        lines = [monitor.receive().value for _ in range(2)]
    assert b'"set" "seen" "hi" "5" "0"' in lines[0]
    assert b'"get" "seen"' in lines[1]


class Administered(NogilMemcached):
    """A server that wants a password, with an admin port that does not, to which the tests connect."""

    def __init__(self, *flags: str) -> None:
        super().__init__("--requirepass=secret", "--admin_nopass", *flags, threads=2)
        self.main_port = 0

    def command_line(self) -> list[str]:
        line = super().command_line()
        self.main_port = free_port()
        line[line.index("--port") + 1] = str(self.main_port)
        return [*line, "--admin_port", str(self.port)]


def test_a_password_has_to_be_given_first() -> None:
    with Administered() as server:
        assert isinstance(server, Administered)
        assert say(server, "get a", "version") == ["CLIENT_ERROR unauthenticated"] * 2
        assert say(server, "set x 0 0 13", "default wrong") == ["CLIENT_ERROR authentication failure"]
        assert say(server, "set x 0 0 6", "secret") == ["CLIENT_ERROR bad authentication token format"]
        assert say(server, "set x 0 0 14", "default secret", "set a 0 0 1", "1", "get a") == [
            *("STORED", "STORED", "VALUE a 0 1", "1", "END")
        ]
        assert figures_after_login(server)["auth_errors"] == "1"


def figures_after_login(server: NogilMemcached) -> dict[str, str]:
    """What ``stats`` tells whoever logs in."""
    lines = say(server, "set x 0 0 14", "default secret", "stats")
    return dict(line.split()[1:3] for line in lines if line.startswith("STAT"))


def test_access_rules_hold_for_memcached_clients() -> None:
    with Administered() as server:
        assert isinstance(server, Administered)
        with server.connect() as admin:
            assert admin.execute("ACL", "SETUSER", "reader", "on", ">pw", "+get", "~r:*") == OK
            assert admin.execute("SET", "r:a", "1") == OK
        login = ("set x 0 0 9", "reader pw")
        assert say(server, *login, "get r:a") == ["STORED", "VALUE r:a 0 1", "1", "END"]
        denied = say(server, *login, "get other", "add r:b 0 0 1", "1", "flush_all")[1:]
        assert len(denied) == 3
        assert all(line.startswith("SERVER_ERROR NOPERM") for line in denied), denied


def test_what_is_restricted_is_not_to_be_had_by_memcacheds_names() -> None:
    flags = ("--restricted_commands=FLUSHALL,SET,INFO", "--rename_command=CONFIG=")
    with Administered(*flags) as server:
        assert isinstance(server, Administered)
        login = ("set x 0 0 14", "default secret")
        with server.connect() as admin:
            assert admin.execute("SET", "a", "1") == OK
        refused = say(server, *login, "flush_all", "cache_memlimit 100", "verbosity 2", "stats")[1:]
        assert refused == ["SERVER_ERROR ERR Cannot execute restricted command (admin only)"] * 4
        assert say(server, *login, "set a 0 0 1", "2", "add b 0 0 1", "2", "ms a 1", "2")[1:] == refused[:3]
        assert say(server, *login, "get a b", "version")[1:4] == ["VALUE a 0 1", "1", "END"]


def test_keys_that_would_break_lines_are_not_dumped(server: NogilMemcached, redis: Connection) -> None:
    assert redis.execute("SET", "a b\r\nEND\r\n", "1") == OK
    assert redis.execute("SET", "plain", "1") == OK
    items = say(server, "stats cachedump 1 0")
    assert items[-1] == "END"
    assert items.count("END") == 1
    assert "ITEM plain [1 b; 0 s]" in items
    redis.execute("DEL", "a b\r\nEND\r\n", "plain")


def let_in(server: Administered) -> Connection:
    """The one client that is let in; another one that has just left may still be there for a moment."""
    while True:
        client = Connection(server.host, server.main_port)
        if client.execute("PING").value == b"NOAUTH Authentication required.":
            return client
        client.close()


def test_the_admin_port_knows_no_limits() -> None:
    flags = ("--maxclients=1", "--restricted_commands=FLUSHALL,CONFIG", "--rename_command", "DEBUG=HIDDEN")
    with Administered(*flags) as server:
        assert isinstance(server, Administered)
        client = let_in(server)
        client.execute("AUTH", "secret")
        assert client.execute("FLUSHALL").value == b"ERR Cannot execute restricted command (admin only)"
        assert client.execute("CONFIG", "GET", "port").kind == "-"
        assert client.execute("EVAL", "return redis.call('FLUSHALL')", "0").kind == "-"
        assert b"unknown command 'DEBUG'" in client.execute("DEBUG", "SLEEP", "0").value
        assert client.execute("SET", "a", "1") == OK
        with Connection(server.host, server.main_port) as second:
            assert second.receive().value == b"ERR max number of clients reached"
        admins = [server.connect() for _ in range(5)]
        for admin in admins:
            assert admin.execute("GET", "a").value == b"1"
        assert admins[0].execute("DEBUG", "SLEEP", "0") == OK
        assert admins[1].execute("CONFIG", "GET", "maxclients").value[1].value == b"1"
        assert admins[2].execute("FLUSHALL") == OK
        assert admins[3].execute("MULTI") == OK
        assert admins[3].execute("INCR", "n").value == b"QUEUED"
        assert admins[3].execute("EXEC").value[0].value == 1
        # Nor do its clients take the places of others.
        client.close()
        client = let_in(server)
        for connection in (client, *admins):
            connection.close()
