"""CLUSTER and its relatives: with the emulated cluster, and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nogil_df import Server
from nogil_df.base.flags import FlagError, Options
from nogil_df.base.hashing import slot_of
from nogil_df.runtime import hash_function
from tests.commands.console import Console
from tests.resp import Connection, Reply

NODE = "1" * 40
"""The id of the simulated server."""


@pytest.fixture
def cluster() -> Console:
    """A client of a cluster of three shards."""
    return console()


def console(**flags: Any) -> Console:
    """A client of a cluster with further flags; it came to 10.0.0.7."""
    redis = Console(options=Options(cluster_mode="emulated", **flags))
    redis.client.session.local_address = "10.0.0.7:6379"
    return redis


@pytest.mark.parametrize(
    "line",
    [
        "CLUSTER INFO",
        "CLUSTER KEYSLOT a",
        "CLUSTER COUNTKEYSINSLOT 1",
        "CLUSTER GETKEYSINSLOT 1 1",
        "CLUSTER RESET",
        "CLUSTER FLUSHSLOTS",
        "READONLY",
        "READWRITE",
        "ASKING",
    ],
)
def test_without_a_cluster(line: str) -> None:
    assert Console().value(line) == b"ERR This instance has cluster support disabled"


def test_help_is_there_without_a_cluster() -> None:
    assert Console()("CLUSTER HELP").kind == "*"


def test_who_the_server_says_it_is(cluster: Console) -> None:
    assert b"redis_mode:cluster" in cluster.value("INFO server")
    assert b"cluster_enabled:1" in cluster.value("INFO cluster")
    hello = cluster.value("HELLO 2")
    assert hello[hello.index(b"mode") + 1] == b"cluster"
    assert cluster.value("CONFIG GET cluster-enabled") == [b"cluster-enabled", b"yes"]
    assert b"cluster_state:ok\r\ncluster_slots_assigned:16384\r\n" in cluster.value("CLUSTER INFO")
    assert cluster.value("CLUSTER MYID") == NODE.encode()
    assert len(cluster.value("CLUSTER MYSHARDID")) == 40
    assert cluster.value("CLUSTER LINKS") == []


@pytest.mark.parametrize(
    ("flags", "host", "port"),
    [
        ({}, b"10.0.0.7", 0),
        ({"cluster_announce_ip": "example.org", "announce_port": 7000}, b"example.org", 7000),
    ],
)
def test_where_clients_are_sent(flags: dict[str, Any], host: bytes, port: int) -> None:
    redis = console(**flags)
    assert redis.value("CLUSTER NODES") == b"%b %b:%d@%d myself,master - 0 0 1 connected 0-16383\n" % (
        NODE.encode(),
        host,
        port,
        port,
    )
    (slots,) = redis("CLUSTER SLOTS").value
    first, last, node = slots.value
    assert (first.value, last.value) == (0, 16383)
    assert [item.value for item in node.value] == [host, port, NODE.encode(), ()]
    (shard,) = redis("CLUSTER SHARDS").value
    (node,) = shard.value[3].value
    fields = [item.value for item in node.value]
    assert dict(zip(fields[::2], fields[1::2], strict=True))[b"endpoint"] == host


@pytest.mark.parametrize(
    ("address", "host"),
    [("[::1]:6379", b"::1"), ("[::ffff:10.0.0.1]:6379", b"10.0.0.1"), ("127.0.0.1:1", b"127.0.0.1")],
)
def test_the_address_is_the_one_that_the_client_came_to(cluster: Console, address: str, host: bytes) -> None:
    cluster.client.session.local_address = address
    assert cluster("CLUSTER SLOTS").value[0].value[2].value[0].value == host


def test_a_client_of_the_unix_socket_is_sent_nowhere(cluster: Console) -> None:
    cluster.client.session.unix_socket = True
    assert cluster("CLUSTER SLOTS").value[0].value[2].value[0].value == b""


def test_the_announced_address_can_be_changed(cluster: Console) -> None:
    assert cluster("CONFIG SET cluster-announce-ip 1.2.3.4 cluster-announce-port 9").kind == "+"
    assert b" 1.2.3.4:9@9 " in cluster.value("CLUSTER NODES")
    assert cluster("CONFIG SET cluster_mode none").kind == "-"


def test_the_id_of_the_node_can_be_given() -> None:
    redis = console(cluster_node_id="ab" * 20)
    assert redis.value("CLUSTER MYID") == b"ab" * 20
    assert redis("CLUSTER REPLICAS " + "ab" * 20) == Reply("*", ())


def test_all_keys_of_a_tag_live_on_one_shard(cluster: Console) -> None:
    for number in range(2000):
        cluster(f"SET {{tag}}{number} v")
    sizes = [len(thread.proactor.shard.dbs[0]) for thread in cluster.simulation.threads]
    assert sorted(sizes) == [0, 0, 2000]
    assert cluster("DEBUG VERIFY").kind == "+"
    assert cluster.value("DBSIZE") == 2000
    assert cluster.value("MGET {tag}5 {tag}1999 {tag}2000") == [b"v", b"v", None]


def test_tags_decide_the_shard_by_another_flag_as_well() -> None:
    redis = Console(options=Options(lock_on_hashtags=True, locktag_delimiter=":"))
    for number in range(100):
        redis(f"SET bull:queue:{number} v")
    sizes = [len(thread.proactor.shard.dbs[0]) for thread in redis.simulation.threads]
    assert sorted(sizes) == [0, 0, 100]
    assert redis.value("CLUSTER INFO") == b"ERR This instance has cluster support disabled"


def test_a_delimiter_is_one_character() -> None:
    with pytest.raises(FlagError, match="must be one character"):
        hash_function(Options(locktag_delimiter="::"), 2)
    with pytest.raises(FlagError, match="must be one of '', emulated"):
        Options(cluster_mode="yes")


def test_commands_on_several_slots_work(cluster: Console) -> None:
    assert cluster("MSET a 1 b 2 c 3").kind == "+"
    assert cluster.value("MGET a b c") == [b"1", b"2", b"3"]
    cluster("MULTI")
    cluster("INCR a")
    cluster("INCR b")
    assert cluster.value("EXEC") == [2, 3]


def test_keys_of_a_slot(cluster: Console) -> None:
    for number in range(3000):
        cluster(f"SET {number} v")
    slot = slot_of(b"7")
    expected = sorted(b"%d" % number for number in range(3000) if slot_of(b"%d" % number) == slot)
    assert sorted(cluster.value(f"CLUSTER GETKEYSINSLOT {slot} 100")) == expected
    assert cluster.value(f"CLUSTER COUNTKEYSINSLOT {slot}") == len(expected)
    assert cluster.value(f"CLUSTER GETKEYSINSLOT {slot} 1")[0] in expected
    assert cluster.value(f"CLUSTER GETKEYSINSLOT {slot} 0") == []
    cluster("MULTI")
    cluster(f"CLUSTER COUNTKEYSINSLOT {slot}")
    assert cluster.value("EXEC") == [len(expected)]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("CLUSTER DELSLOTS 1", b"ERR The nodes and slots of an emulated cluster do not change"),
        ("CLUSTER DELSLOTSRANGE 1 2", b"ERR The nodes and slots of an emulated cluster do not change"),
        ("CLUSTER FLUSHSLOTS", b"ERR The nodes and slots of an emulated cluster do not change"),
        ("CLUSTER MEET 127.0.0.1 7000", b"ERR The nodes and slots of an emulated cluster do not change"),
        (
            f"CLUSTER SETSLOT 1 MIGRATING {NODE}",
            b"ERR The nodes and slots of an emulated cluster do not change",
        ),
    ],
)
def test_what_would_change_the_cluster_is_refused(cluster: Console, line: str, answer: bytes) -> None:
    before = cluster.value("CLUSTER NODES")
    assert cluster.value(line) == answer
    assert cluster.value("CLUSTER NODES") == before


def test_reset_minds_keys(cluster: Console) -> None:
    assert cluster("CLUSTER RESET HARD") == Reply("+", b"OK")
    cluster("SET a 1")
    assert (
        cluster.value("CLUSTER RESET")
        == b"ERR CLUSTER RESET can't be called with master nodes containing keys"
    )
    assert cluster.value("CLUSTER MYID") == NODE.encode()


def test_scripts_and_functions_that_do_not_want_a_cluster(cluster: Console) -> None:
    refusal = b"ERR Can not run script on cluster, 'no-cluster' flag is set."
    assert cluster.run(b"EVAL", b"#!lua flags=no-cluster\nreturn 1", b"0").value == refusal
    library = b"#!lua name=l\nredis.register_function{function_name='f', callback=function() return 1 end,"
    cluster.run(b"FUNCTION", b"LOAD", library + b"flags={'no-cluster'}}")
    assert cluster.value("FCALL f 0") == refusal
    assert Console().run(b"EVAL", b"#!lua flags=no-cluster\nreturn 1", b"0") == Reply(":", 1)


def test_a_snapshot_is_divided_anew_where_tags_begin_to_count(tmp_path: Path) -> None:
    """Saved without tags by as many shards as load it with them; and back again."""
    names = [b"{tag}%d" % number for number in range(200)]
    flags: dict[str, Any] = {"threads": 3, "dir": tmp_path}
    with Server(**flags) as server, Connection(server.host, server.port) as client:
        client.execute("MSET", *(word for name in names for word in (name, b"v")))
        threads = server.threads
    for more in ({"cluster_mode": "emulated"}, {"lock_on_hashtags": True, "locktag_delimiter": "g"}, {}):
        with Server(**flags, **more) as server, Connection(server.host, server.port) as client:
            assert server.threads == threads
            assert client.execute("MGET", *names) == Reply("*", (Reply("$", b"v"),) * len(names))
            assert client.execute("DEBUG", "VERIFY") == Reply("+", b"OK")
            client.execute("SET", "changed", str(more))
