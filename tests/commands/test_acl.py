"""Access control: who may do what, on several threads, and that rights taken away are gone at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from nogil_df.acl.catalogue import Catalogue
from nogil_df.acl.selector import READ, WRITE, RuleError, Selector
from nogil_df.acl.user import Users, merge_selectors
from nogil_df.base.flags import FlagError, Options
from nogil_df.commands.acl import AclFileError, read_acl_file
from nogil_df.commands.registry import all_rows
from nogil_df.commands.spec import Command
from nogil_df.runtime import make_users
from nogil_df.simulation import Simulation
from tests.commands.console import Console
from tests.resp import Reply

OK = Reply("+", b"OK")
CATALOGUE = Catalogue(
    [
        ("get", frozenset(("read", "fast", "string"))),
        ("set", frozenset(("write", "slow", "string"))),
        ("config", frozenset(("slow",))),
        ("config|get", frozenset(("admin", "slow"))),
        ("config|set", frozenset(("admin", "slow"))),
        ("select", frozenset(("fast", "connection"))),
    ],
    ["read", "write", "string", "admin", "fast", "slow", "connection"],
)


def selector(*rules: bytes) -> Selector:
    made = Selector(CATALOGUE)
    for rule in rules:
        made.apply(rule)
    return made


def noperm(reply: Reply) -> bool:
    return reply.kind == "-" and reply.value.startswith(b"NOPERM")


def test_commands_are_allowed_by_name_category_and_first_argument() -> None:
    one = selector(b"+@read", b"+config|get", b"+select|0")
    assert one.allows_command("get", b"k")
    assert not one.allows_command("set", b"k")
    assert one.allows_command("config|get", None)
    assert not one.allows_command("config|set", None)
    assert one.allows_command("select", b"0")
    assert not one.allows_command("select", b"1")
    assert one.commands_text() == b"-@all +@read +config|get +select|0"


def test_a_later_rule_takes_the_place_of_what_it_covers() -> None:
    one = selector(b"+config|get", b"+GET", b"-config", b"+get")
    assert not one.allows_command("config|get", None)
    assert one.commands_text() == b"-@all -config +get"
    assert selector(b"+get", b"+@all", b"-set").commands_text() == b"+@all -set"
    assert selector(b"+@all", b"-set").allows_command("get", None)


def test_key_patterns_tell_reading_from_writing() -> None:
    one = selector(b"%R~in:*", b"%W~out:*", b"~both:*")
    assert one.allows_key(b"in:1", READ)
    assert not one.allows_key(b"in:1", WRITE)
    assert not one.allows_key(b"out:1", READ | WRITE)
    assert one.allows_key(b"both:1", READ | WRITE)
    assert not one.allows_key(b"else", 0)
    assert one.keys_text() == b"%R~in:* %W~out:* ~both:*"
    one.apply(b"%W~in:*")
    assert one.keys_text() == b"~in:* %W~out:* ~both:*"


@pytest.mark.parametrize(
    "rules",
    [
        (b"foo",),
        (b"+nosuch",),
        (b"+@nosuch",),
        (b"+config|get|x",),
        (b"+config|nosuch",),
        (b"-select|0",),
        (b"%X~a",),
        (b"%R",),
        (b"~*", b"~a"),
        (b"&*", b"&a"),
        (b"+",),
    ],
)
def test_rules_that_make_no_sense(rules: tuple[bytes, ...]) -> None:
    with pytest.raises(RuleError):
        selector(*rules)


def test_the_text_of_a_user_makes_an_equal_one() -> None:
    users = Users(CATALOGUE)
    alice = users.new(b"alice")
    rules = [b"on", b">one", b">two", b"<one", b"~a*", b"%R~b*", b"&c", b"+@read", b"-get", b"(+set", b"~x)"]
    alice.apply_all(rules)
    again = users.new(b"alice")
    again.apply_all(alice.text().split(b" "))
    assert again.text() == alice.text()
    assert list(alice.passwords) == [hashlib.sha256(b"two").hexdigest().encode()]
    assert merge_selectors([b"on", b"(+set", b"~x)", b"(+get)"]) == [b"on", b"(+set ~x)", b"(+get)"]


def test_rights_hold_on_every_thread() -> None:
    redis = Console(shards=3)
    assert redis("ACL SETUSER bob on >pw +get +set +mget ~b:* +acl|whoami") == OK
    for _ in range(3):
        bob = redis.another()
        assert bob("AUTH bob pw") == OK
        assert bob("ACL WHOAMI") == Reply("$", b"bob")
        assert bob("SET b:1 x") == OK
        assert noperm(bob("SET c x"))
        assert noperm(bob("MGET b:1 c"))
        assert noperm(bob("DEL b:1"))
        assert bob("GET b:1") == Reply("$", b"x")


def test_rights_taken_away_are_gone_at_once_and_break_multi() -> None:
    redis = Console(shards=2)
    redis("ACL SETUSER bob on nopass +@all ~*")
    bob = redis.another()
    bob("AUTH bob x")
    bob("MULTI")
    bob("SET a 1")
    bob("SET b 1")
    redis("ACL SETUSER bob -set")
    replies = bob("EXEC").value
    assert all(noperm(reply) for reply in replies)
    assert redis("EXISTS a b") == Reply(":", 0)
    bob("MULTI")
    assert noperm(bob("SET a 1"))
    assert bob("EXEC").value.startswith(b"EXECABORT")
    assert bob("GET a") == Reply("$", None)


def test_selectors_are_alternatives() -> None:
    redis = Console(shards=2)
    redis("ACL SETUSER bob on nopass +get ~r:* (+set ~w:*)")
    bob = redis.another()
    bob("AUTH bob x")
    assert bob("GET r:1") == Reply("$", None)
    assert bob("SET w:1 x") == OK
    assert noperm(bob("SET r:1 x"))
    assert noperm(bob("GET w:1"))


def test_clients_of_a_deleted_user_are_cut_off() -> None:
    redis = Console(shards=3)
    redis("ACL SETUSER bob on nopass +@all ~*")
    clients = [redis.another() for _ in range(4)]
    for client in clients:
        client("AUTH bob x")
    assert redis("ACL DELUSER bob nobody") == Reply(":", 1)
    assert all(client.client.closed for client in clients)
    assert not redis.client.closed
    assert redis("ACL DELUSER default").value == b"ERR The 'default' user cannot be removed"


def test_a_subscriber_that_lost_its_channel_is_cut_off() -> None:
    redis = Console(shards=2)
    redis("ACL SETUSER bob on nopass +@all &news.*")
    one, two = redis.another(), redis.another()
    for client in (one, two):
        client("AUTH bob x")
    assert one("SUBSCRIBE news.a").kind in "*>"
    assert noperm(two("SUBSCRIBE other"))
    assert noperm(two("PSUBSCRIBE news.a*"))
    redis("ACL SETUSER bob resetchannels &weather")
    assert one.client.closed
    assert not two.client.closed


def test_the_log_counts_equal_refusals_together() -> None:
    redis = Console(shards=2)
    redis("ACL SETUSER bob on nopass +get ~a")
    bob = redis.another()
    bob("AUTH bob x")
    for _ in range(3):
        bob("GET b")
    bob("SET a 1")
    bob("AUTH bob2 nope")
    entries = [dict(zip(*[iter(entry.value)] * 2, strict=True)) for entry in redis("ACL LOG").value]
    found = [
        (
            entry[Reply("$", b"reason")].value,
            entry[Reply("$", b"object")].value,
            entry[Reply("$", b"count")].value,
        )
        for entry in entries
    ]
    assert found == [(b"auth", b"AUTH", 1), (b"command", b"set", 1), (b"key", b"b", 3)]
    assert redis("ACL LOG RESET") == OK
    assert redis("ACL LOG").value == ()


def test_the_default_user_follows_requirepass() -> None:
    redis = Console(options=Options(requirepass="secret"))
    assert redis("AUTH secret") == OK
    assert redis("CONFIG SET requirepass other") == OK
    assert redis.another()("AUTH secret").kind == "-"
    assert redis.another()("AUTH other") == OK
    assert redis("ACL SETUSER default >third") == OK
    assert redis.another()("AUTH third") == OK
    assert redis("CONFIG SET requirepass ''") == OK
    assert redis.another()("PING") == Reply("+", b"PONG")


def test_the_file_is_read_at_the_start_saved_and_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.write_text("# people\nuser alice on nopass ~a* +get\n\nuser default on nopass ~* &* +@all\n")
    redis = Console(shards=2, options=Options(aclfile=str(path)))
    assert redis("ACL USERS") == Reply("*", (Reply("$", b"alice"), Reply("$", b"default")))
    redis("ACL SETUSER bob on >pw +@read ~*")
    assert redis("ACL SAVE") == OK
    lines = path.read_bytes().splitlines()
    assert lines[0] == b"user alice on nopass sanitize-payload ~a* resetchannels -@all +get"
    assert [line.split()[1] for line in lines] == [b"alice", b"bob", b"default"]
    redis("ACL DELUSER alice bob")
    assert redis("ACL LOAD") == OK
    assert redis("ACL LIST").value == tuple(Reply("$", line) for line in lines)
    path.write_text("user eve on +nosuch\nusr x\n")
    error = redis("ACL LOAD").value.decode()
    assert error.startswith(
        f"ERR {path}:1: Unknown command or category name in ACL. {path}:2: line should start"
    )
    assert redis("ACL LIST").value == tuple(Reply("$", line) for line in lines)


def test_a_bad_file_is_one_clear_line_and_no_start(tmp_path: Path) -> None:
    commands = [Command(row) for row in all_rows()]
    missing = tmp_path / "nosuch.acl"
    with pytest.raises(FlagError, match="No such file"):
        make_users(commands, Options(aclfile=str(missing)))
    bad = tmp_path / "bad.acl"
    bad.write_text("user a on\nuser a off\nuser b (+get\n")
    with pytest.raises(FlagError, match=r"duplicate user 'a'.*Unmatched parenthesis"):
        make_users(commands, Options(aclfile=str(bad)))
    with pytest.raises(AclFileError):
        read_acl_file(str(bad), Users(CATALOGUE))


@pytest.mark.parametrize("seed", range(20))
def test_changes_at_the_same_time_end_equal_on_all_threads(seed: int) -> None:
    simulation = Simulation(seed, 3)
    clients = [simulation.client() for _ in range(4)]
    for number, client in enumerate(clients):
        for turn in range(3):
            client.send(
                [b"ACL", b"SETUSER", b"bob", b"~k%d" % (number + turn), b"+get" if turn % 2 else b"-get"]
            )
            client.send([b"ACL", b"DELUSER", b"bob"] if turn == 1 else [b"PING"])
    simulation.run()
    simulation.verify()
    texts = {tuple(user.text() for user in thread.state.users.sorted()) for thread in simulation.threads}
    assert len(texts) == 1, f"seed {seed}"
