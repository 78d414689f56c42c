"""AUTH, HELLO, RESET, CLIENT, MONITOR and the checks before a command, where redis-server is no judge."""

from __future__ import annotations

import pytest

from nogil_df.base.flags import Options
from nogil_df.net.listener import format_address, is_local
from tests.commands.console import Console
from tests.resp import Reply

OK = Reply("+", b"OK")
NOAUTH = Reply("-", b"NOAUTH Authentication required.")
WRONGPASS = Reply("-", b"WRONGPASS invalid username-password pair or user is disabled.")


def locked() -> Console:
    """A console that is not logged in."""
    return Console(options=Options(requirepass="secret"))


def test_passwords_are_compared_whole() -> None:
    redis = locked()
    for wrong in ('""', "secre", "secrets", "Secret", '"secret "'):
        assert redis(f"AUTH {wrong}") == WRONGPASS
    assert redis("AUTH secret") == OK


def test_nothing_but_login_without_a_login() -> None:
    redis = locked()
    for line in ("GET k", "PING", "MULTI", "CLIENT ID", "SUBSCRIBE a", "MONITOR"):
        assert redis(line) == NOAUTH
    assert redis("AUTH wrong") == WRONGPASS
    assert redis("AUTH nobody secret") == WRONGPASS
    assert redis("AUTH default wrong") == WRONGPASS
    assert redis("GET k") == NOAUTH
    assert redis("AUTH secret") == OK
    assert redis("GET k") == Reply("$", None)
    assert redis("AUTH wrong") == WRONGPASS
    assert redis("GET k") == Reply("$", None)
    assert redis("RESET") == Reply("+", b"RESET")
    assert redis("GET k") == NOAUTH


def test_hello_logs_in_before_it_tells_anything() -> None:
    redis = locked()
    assert redis("HELLO 3").value.startswith(b"NOAUTH HELLO must be called")
    assert redis("HELLO 3 AUTH default wrong") == WRONGPASS
    reply = redis("HELLO 3 AUTH default secret SETNAME me")
    assert reply.kind == "%"
    told = {key.value: value.value for key, value in reply.value}
    assert list(told) == [b"server", b"version", b"proto", b"id", b"mode", b"role", b"modules"]
    assert (told[b"server"], told[b"proto"], told[b"role"]) == (b"redis", 3, b"master")
    assert redis("CLIENT GETNAME") == Reply("$", b"me")


def test_a_pipeline_behind_a_failed_login_is_refused() -> None:
    redis = locked()
    redis.client.send([b"AUTH", b"wrong"], [b"SET", b"k", b"v"], [b"AUTH", b"secret"], [b"EXISTS", b"k"])
    redis.simulation.run()
    assert redis.replies() == [WRONGPASS, NOAUTH, OK, Reply(":", 0)]


def test_a_long_pipeline_of_refused_commands_is_answered_one_by_one() -> None:
    redis = locked()
    redis.client.send(*[[b"INCRBY", b"k", b"x"]] * 5000)
    redis.simulation.run()
    assert redis.replies() == [NOAUTH] * 5000
    redis("AUTH secret")
    monitor = redis.another()
    monitor("AUTH secret")
    assert monitor("MONITOR") == OK
    redis.client.send(*[[b"INCRBY", b"k", b"x"]] * 5000)
    redis.simulation.run()
    assert len(redis.replies()) == len(monitor.replies()) == 5000


def test_a_refused_command_breaks_the_transaction() -> None:
    redis = Console()
    for bad in ("NOSUCH", "GET", "CLIENT NOSUCH"):
        assert redis("MULTI") == OK
        assert redis(bad).kind == "-"
        assert redis("EXEC").value.startswith(b"EXECABORT")


def test_replies_are_muted_for_errors_and_remote_keys_alike() -> None:
    redis = Console(thread=0)
    for line in ("SET k1 v", "GET", "NOSUCH", "MGET k1 k2 k3", "INCRBY k1 x", "MULTI", "CLIENT NOSUCH"):
        redis.client.send([b"CLIENT", b"REPLY", b"SKIP"], line.encode().split(), [b"RESET"])
        redis.simulation.run()
        assert redis.replies() == [Reply("+", b"RESET")], line
    redis.client.send(
        [b"CLIENT", b"REPLY", b"OFF"],
        *[[b"SET", b"key%d" % number, b"v"] for number in range(100)],
        [b"NOSUCH"],
        [b"CLIENT", b"REPLY", b"ON"],
        [b"DBSIZE"],
    )
    redis.simulation.run()
    assert redis.replies() == [OK, Reply(":", 101)]


def test_client_list_shows_the_clients_of_all_threads_in_the_order_they_came() -> None:
    redis = Console(thread=2)
    others = [redis.another(index) for index in (0, 1, 0)]
    for number, other in enumerate(others):
        other(f"CLIENT SETNAME c{number}")
    lines = redis("CLIENT LIST").value.splitlines()
    assert [dict(f.split(b"=", 1) for f in line.split())[b"name"] for line in lines] == [
        b"",
        b"c0",
        b"c1",
        b"c2",
    ]
    fields = dict(field.split(b"=", 1) for field in lines[0].split(b" "))
    assert (fields[b"cmd"], fields[b"flags"], fields[b"io-thread"]) == (b"client|list", b"N", b"2")
    others[0]("SUBSCRIBE x")
    assert redis("CLIENT LIST TYPE pubsub").value.count(b"\n") == 1
    assert b"flags=P" in redis("CLIENT LIST TYPE pubsub").value
    assert redis("CLIENT LIST TYPE normal").value.count(b"\n") == 3


def test_client_kill_reaches_other_threads_and_spares_the_asker_until_it_is_answered() -> None:
    redis = Console(thread=0)
    others = [redis.another(index) for index in range(3)]
    ids = [other("CLIENT ID").value for other in others]
    assert redis(f"CLIENT KILL ID {ids[1]}") == Reply(":", 1)
    assert [other.client.closed for other in others] == [False, True, False]
    assert redis("CLIENT KILL TYPE normal") == Reply(":", 2)
    assert all(other.client.closed for other in others)
    assert redis("CLIENT KILL TYPE normal SKIPME no") == Reply(":", 1)
    assert redis.client.closed


def test_client_kill_by_age() -> None:
    redis = Console()
    old = redis.another()
    redis.simulation.advance(60_000)
    young = redis.another()
    assert redis("CLIENT KILL MAXAGE 0").value == b"ERR maxage should be greater than 0"
    assert redis("CLIENT KILL MAXAGE x").value == b"ERR maxage is not an integer or out of range"
    assert redis("CLIENT KILL MAXAGE 60") == Reply(":", 1)
    assert (old.client.closed, young.client.closed) == (True, False)


def test_a_pause_holds_all_threads_and_runs_out() -> None:
    redis = Console(thread=0)
    others = [redis.another(index) for index in range(3)]
    assert redis("CLIENT PAUSE 1000") == OK
    for other in others:
        other.client.send([b"SET", b"k", b"v"], [b"PING"])
    redis.simulation.run()
    assert [other.replies() for other in others] == [[], [], []]
    redis.simulation.advance(999)
    redis.simulation.run()
    assert [other.replies() for other in others] == [[], [], []]
    redis.simulation.advance(1)
    redis.simulation.run()
    assert [other.replies() for other in others] == [[OK, Reply("+", b"PONG")]] * 3
    redis.simulation.verify()


def test_a_pause_is_never_made_shorter_or_milder() -> None:
    redis = Console()
    other = redis.another()
    redis("CLIENT PAUSE 1000 ALL")
    redis("CLIENT PAUSE 10 WRITE")
    other.client.send([b"PING"])
    redis.simulation.advance(500)
    redis.simulation.run()
    assert other.replies() == []
    assert redis("CLIENT UNPAUSE") == OK
    assert other.replies() == [Reply("+", b"PONG")]


def test_a_paused_client_that_leaves_is_forgotten() -> None:
    redis = Console()
    other = redis.another()
    redis("CLIENT PAUSE 1000 WRITE")
    other.client.send([b"SET", b"k", b"v"])
    redis.simulation.run()
    assert b"flags=b" in redis("CLIENT LIST").value
    other.client.close(after_replies=False)
    redis("CLIENT UNPAUSE")
    assert redis("EXISTS k") == Reply(":", 0)


@pytest.mark.parametrize("thread", [0, 2])
def test_monitors_see_the_commands_of_all_threads_once_they_have_run(thread: int) -> None:
    redis = Console(thread=thread)
    monitor = redis.another(1)
    assert monitor("MONITOR") == OK
    for line in (
        "SELECT 2",
        'SET key "a\\"b\\n\\x01"',
        "AUTH default x",
        "HELLO 2 AUTH default y",
        "CLIENT LIST",
    ):
        redis(line)
    redis.client.send([b"MULTI"], [b"GET", b"key"], [b"DEL", b"key", b"other"], [b"EXEC"])
    redis.simulation.run()
    shown = [reply.value.split(b"] ", 1)[1] for reply in monitor.replies()]
    assert shown == [
        b'"SELECT" "2"',
        b'"SET" "key" "a\\"b\\n\\x01"',
        b'"AUTH" "(redacted)" "(redacted)"',
        b'"HELLO" "2" "AUTH" "(redacted)" "(redacted)"',
        b'"MULTI"',
        b'"GET" "key"',
        b'"DEL" "key" "other"',
        b'"EXEC"',
    ]
    assert monitor("GET key").value == b"ERR Replica can't interact with the keyspace"


def test_nobody_pays_for_monitors_that_left() -> None:
    redis = Console(thread=0)
    monitor = redis.another(1)
    monitor("MONITOR")
    assert all(thread.dispatcher.gated for thread in redis.simulation.threads)
    monitor.client.close(after_replies=False)
    redis.simulation.advance(0)
    redis.simulation.run()
    assert not any(thread.dispatcher.gated for thread in redis.simulation.threads)


def test_what_is_queued_inside_multi_is_limited() -> None:
    options = Options(config=[("client-query-buffer-limit", "1048576")])
    redis = Console(options=options)
    redis("MULTI")
    for _ in range(20):
        redis.client.send([b"SET", b"k", b"x" * 100_000])
        redis.simulation.run()
    assert redis.client.closed


def test_unblocking_who_does_not_block() -> None:
    redis = Console(thread=0)
    other = redis.another(1)
    number = other("CLIENT ID").value
    assert redis(f"CLIENT UNBLOCK {number}") == Reply(":", 0)
    assert redis("CLIENT UNBLOCK 12345 ERROR") == Reply(":", 0)


def test_names_and_attributes_can_not_break_client_list() -> None:
    redis = Console()
    assert redis("CLIENT SETINFO LIB-NAME redis-py(x_v1)") == OK
    assert redis("CLIENT SETINFO lib-ver 5.0") == OK
    assert b"lib-name=redis-py(x_v1) lib-ver=5.0" in redis("CLIENT INFO").value
    assert redis('CLIENT SETINFO lib-ver "a b"').value.startswith(b"ERR lib-ver cannot contain spaces")
    assert redis("CLIENT SETINFO bogus x").value == b"ERR Unrecognized option 'bogus'"
    assert redis('CLIENT SETNAME "a b"').value.startswith(b"ERR Client names cannot contain")


def test_help_names_every_subcommand() -> None:
    redis = Console()
    for name in ("CLIENT", "PUBSUB"):
        lines = [reply.value for reply in redis(f"{name} HELP").value]
        words = {line.split()[0] for line in lines[1::2]}
        children = redis.client.session.dispatcher.table[name].subcommands
        assert words == set(children)


def test_quit_drops_what_is_pipelined_behind_it() -> None:
    redis = Console()
    redis.client.send([b"QUIT"], [b"SET", b"k", b"v"])
    redis.simulation.run()
    assert redis.replies() == [OK]
    assert redis.client.closed
    assert redis.another()("EXISTS k") == Reply(":", 0)


def test_which_addresses_are_local() -> None:
    assert all(
        map(is_local, ["", ("127.0.0.1", 1), ("127.9.9.9", 1), ("::1", 1, 0, 0), ("::ffff:127.0.0.1", 1)])
    )
    assert not any(
        map(is_local, [("10.0.0.1", 1), ("::2", 1, 0, 0), ("::ffff:10.0.0.1", 1), ("12.7.0.1", 1)])
    )
    assert format_address(("127.0.0.1", 80)) == "127.0.0.1:80"
    assert format_address(("::1", 80, 0, 0)) == "[::1]:80"
