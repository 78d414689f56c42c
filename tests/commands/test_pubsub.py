"""Pub/sub between threads: who gets what, in which order, and that nobody is counted who is not there."""

from __future__ import annotations

import random

import pytest

from nogil_df.base.flags import Options
from nogil_df.commands.subscriptions import CHANNEL, PATTERN
from tests.commands.console import Console
from tests.resp import Reply, encode
from tests.servers import NogilServer

THREADS = 3


def array(*values: bytes | int | None, kind: str = "*", null: str = "$") -> Reply:
    """A reply of bulk strings and integers."""

    def item(value: bytes | int | None) -> Reply:
        if isinstance(value, int):
            return Reply(":", value)
        return Reply(null if value is None else "$", value)

    return Reply(kind, tuple(map(item, values)))


def messages(console: Console) -> list[bytes]:
    """The payloads of the messages that came since the last look."""
    return [reply.value[-1].value for reply in console.replies()]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("thread", range(THREADS))
def test_a_message_reaches_subscribers_of_every_thread(protocol: int, thread: int) -> None:
    publisher = Console(thread=thread)
    kind = "*" if protocol == 2 else ">"
    subscribers = [publisher.another(index) for index in range(THREADS)]
    for subscriber in subscribers:
        subscriber.client.session.proto = protocol
        assert subscriber("SUBSCRIBE news") == array(b"subscribe", b"news", 1, kind=kind)
    assert publisher("PUBLISH news hello") == Reply(":", THREADS)
    for subscriber in subscribers:
        assert subscriber.replies() == [array(b"message", b"news", b"hello", kind=kind)]
    publisher.simulation.verify()


def test_patterns_and_channels_are_counted_and_delivered_apart() -> None:
    publisher = Console(thread=0)
    subscriber = publisher.another(1)
    subscriber("PSUBSCRIBE n*")
    subscriber("SUBSCRIBE news")
    assert publisher("PUBLISH news x") == Reply(":", 2)
    assert subscriber.replies() == [
        array(b"message", b"news", b"x"),
        array(b"pmessage", b"n*", b"news", b"x"),
    ]
    assert publisher("PUBSUB NUMPAT") == Reply(":", 1)
    assert publisher("PUBSUB NUMSUB news other") == array(b"news", 1, b"other", 0)


def test_shard_channels_are_a_name_space_of_their_own() -> None:
    publisher = Console(thread=0)
    subscriber = publisher.another(2)
    subscriber("SSUBSCRIBE news")
    subscriber("PSUBSCRIBE *")
    assert publisher("SPUBLISH news x") == Reply(":", 1)
    assert subscriber.replies() == [array(b"smessage", b"news", b"x")]
    assert publisher.value("PUBSUB SHARDCHANNELS") == [b"news"]
    assert publisher.value("PUBSUB CHANNELS") == []
    assert publisher("PUBSUB SHARDNUMSUB news") == array(b"news", 1)


def test_a_publisher_keeps_its_order_and_threads_without_listeners_hear_nothing() -> None:
    publisher = Console(thread=0)
    subscriber = publisher.another(1)
    subscriber("SUBSCRIBE news")
    before = publisher.simulation.threads[2].proactor.messages_handled
    publisher.client.send(*[[b"PUBLISH", b"news", b"%d" % number] for number in range(50)])
    publisher.simulation.run()
    assert messages(subscriber) == [b"%d" % number for number in range(50)]
    assert publisher.simulation.threads[2].proactor.messages_handled == before


def test_unsubscribing_from_nothing_is_confirmed_with_null() -> None:
    redis = Console()
    assert redis("UNSUBSCRIBE") == array(b"unsubscribe", None, 0)
    assert redis("PUNSUBSCRIBE") == array(b"punsubscribe", None, 0)
    assert redis("SUNSUBSCRIBE x") == array(b"sunsubscribe", b"x", 0)


def test_unsubscribing_from_all_names_them_in_order() -> None:
    redis = Console()
    redis.client.send([b"SUBSCRIBE", b"a", b"b", b"a"], [b"PSUBSCRIBE", b"p"], [b"UNSUBSCRIBE"])
    redis.simulation.run()
    assert redis.replies() == [
        array(b"subscribe", b"a", 1),
        array(b"subscribe", b"b", 2),
        array(b"subscribe", b"a", 2),
        array(b"psubscribe", b"p", 3),
        array(b"unsubscribe", b"a", 2),
        array(b"unsubscribe", b"b", 1),
    ]
    redis.simulation.verify()


def test_resp2_subscribers_may_say_little_and_resp3_subscribers_anything() -> None:
    redis = Console()
    redis("SUBSCRIBE a")
    assert redis("GET k").value.startswith(b"ERR Can't execute 'get': only (P|S)SUBSCRIBE")
    assert redis("CLIENT ID").value.startswith(b"ERR Can't execute 'client|id'")
    assert redis("PING") == array(b"pong", b"")
    assert redis("PING x") == array(b"pong", b"x")
    assert redis("UNSUBSCRIBE") == array(b"unsubscribe", b"a", 0)
    assert redis("GET k") == Reply("$", None)
    modern = redis.another()
    modern.client.session.proto = 3
    modern("SUBSCRIBE a")
    assert modern("GET k") == Reply("_", None)
    assert modern("PING") == Reply("+", b"PONG")
    modern.client.send([b"PUBLISH", b"a", b"x"])
    modern.simulation.run()
    replies = modern.replies()
    assert Reply(":", 1) in replies
    assert array(b"message", b"a", b"x", kind=">") in replies


def test_confirmations_and_messages_come_though_replies_are_off() -> None:
    redis = Console(protocol=3)
    redis.client.send([b"CLIENT", b"REPLY", b"OFF"], [b"SUBSCRIBE", b"a"], [b"PUBLISH", b"a", b"x"])
    redis.simulation.run()
    assert [reply.kind for reply in redis.replies()] == [">", ">"]
    assert redis("CLIENT REPLY ON") == Reply("+", b"OK")


def test_a_client_that_leaves_while_it_subscribes_is_counted_nowhere() -> None:
    publisher = Console(thread=0)
    subscriber = publisher.another(1)
    subscriber.client.send([b"SUBSCRIBE", b"news"])
    subscriber.client.hand_over()
    subscriber.client.close(after_replies=False)
    publisher.simulation.run()
    assert publisher("PUBLISH news x") == Reply(":", 0)
    publisher.simulation.verify()
    assert not any(any(thread.state.subscriptions.audience) for thread in publisher.simulation.threads)


def test_reset_and_disconnecting_end_subscriptions() -> None:
    publisher = Console(thread=0)
    one, other = publisher.another(1), publisher.another(2)
    for subscriber in (one, other):
        subscriber("SUBSCRIBE a b")
        subscriber("PSUBSCRIBE *")
        subscriber("SSUBSCRIBE c")
        subscriber.replies()
    assert one("RESET") == Reply("+", b"RESET")
    other.client.close(after_replies=False)
    publisher.simulation.advance(0)
    publisher.simulation.run()
    assert publisher("PUBLISH a x") == Reply(":", 0)
    assert publisher("SPUBLISH c x") == Reply(":", 0)
    publisher.simulation.verify()
    assert not any(any(thread.state.subscriptions.audience) for thread in publisher.simulation.threads)


def test_keyspace_events_reach_subscribers_of_every_thread_wherever_the_key_lives() -> None:
    redis = Console(thread=0, options=Options(notify_keyspace_events="KEA"))
    listeners = [redis.another(index) for index in range(THREADS)]
    for listener in listeners:
        listener("PSUBSCRIBE __key*__:*")
    keys = [b"key%d" % number for number in range(20)]
    for key in keys:
        redis.run(b"SET", key, b"v")
    expected = {(b"__keyspace@0__:" + key, b"set") for key in keys}
    expected |= {(b"__keyevent@0__:set", key) for key in keys}
    for listener in listeners:
        got = listener.replies()
        assert {(reply.value[2].value, reply.value[3].value) for reply in got} == expected
        assert len(got) == len(expected)


@pytest.mark.parametrize("seed", range(30))
def test_what_is_published_because_of_a_reply_comes_after_what_that_reply_was_to(seed: int) -> None:
    """An event, or a message, that somebody knows of is not overtaken, whichever threads are involved."""
    first = Console(seed=seed, options=Options(notify_keyspace_events="KA"))
    second, listener = first.another(), first.another()
    listener("PSUBSCRIBE *")
    simulation = first.simulation
    expected = []
    for number in range(20):
        key = b"key%d" % number
        first.client.send([b"SET", key, b"v"] if number % 2 else [b"PUBLISH", key, b"x"])
        expected.append(b"__keyspace@0__:" + key if number % 2 else key)
        while not first.replies():
            assert simulation.step()
        second.client.send([b"PUBLISH", b"then", b"x"])
        expected.append(b"then")
        while not second.replies():
            assert simulation.step()
    simulation.run()
    assert [reply.value[2].value for reply in listener.replies()] == expected


@pytest.mark.parametrize("seed", range(12))
def test_whoever_has_been_confirmed_gets_every_message_published_after_that(seed: int) -> None:
    """In any interleaving: what is published between two confirmations arrives, once, in order."""
    choice = random.Random(seed)
    publisher = Console(seed=seed)
    clients = [publisher.another() for _ in range(6)]
    channels = [b"a", b"b", b"c"]
    subscribed: dict[Console, set[bytes]] = {client: set() for client in clients}
    sent = 0
    for _ in range(60):
        client = choice.choice(clients)
        channel = choice.choice(channels)
        word = b"UNSUBSCRIBE" if channel in subscribed[client] else b"SUBSCRIBE"
        client.run(word, channel)
        subscribed[client] ^= {channel}
        for name in choice.sample(channels, 2):
            publisher.client.send([b"PUBLISH", name, b"%d" % sent])
            publisher.simulation.run()
            receivers = [c for c in clients if name in subscribed[c]]
            assert publisher.replies() == [Reply(":", len(receivers))]
            for receiver in receivers:
                assert receiver.replies() == [array(b"message", name, b"%d" % sent)]
            sent += 1
    publisher.simulation.verify()


@pytest.mark.parametrize("seed", range(12))
def test_changes_of_subscriptions_under_way_at_once_add_up(seed: int) -> None:
    choice = random.Random(seed)
    redis = Console(seed=seed)
    clients = [redis.another() for _ in range(8)]
    for client in clients:
        commands = []
        for _ in range(30):
            word = choice.choice(
                [b"SUBSCRIBE", b"UNSUBSCRIBE", b"PSUBSCRIBE", b"PUNSUBSCRIBE", b"SSUBSCRIBE"]
            )
            commands.append([word, *choice.sample([b"a", b"b", b"c", b"d"], 2)])
        client.client.send(*commands)
    for _ in range(200):
        redis.simulation.step()
    for client in clients[:3]:
        client.client.close(after_replies=False)
    redis.simulation.run()
    redis.simulation.verify()
    expected = sum(b"a" in client.client.session.subscribed[CHANNEL] for client in clients)
    for thread in redis.simulation.threads:
        assert thread.state.subscriptions.count(CHANNEL, b"a") == expected
    everyone = [set(client.client.session.subscribed[PATTERN]) for client in clients]
    assert redis("PUBSUB NUMPAT").value == len(set().union(*everyone))


@pytest.mark.parametrize("protocol", [2, 3])
def test_who_saw_a_publication_answered_finds_it_delivered(protocol: int) -> None:
    """The reply to the publisher came, so what the subscriber asks now is answered after the message."""
    publisher = Console(thread=0)
    subscriber = publisher.another(1)
    subscriber.client.session.proto = protocol
    subscriber("SUBSCRIBE news")
    subscriber.replies()
    publisher.client.send([b"PUBLISH", b"news", b"first"])
    publisher.client.hand_over()
    publisher.client.thread.proactor.finish_turn()
    assert publisher.replies() == [Reply(":", 1)]
    # The subscriber's thread has not looked at its messages yet.
    subscriber.client.send([b"PING"])
    subscriber.client.hand_over()
    first, second = subscriber.replies()
    assert first.value[-1].value == b"first"
    assert b"pong" in str(second).lower().encode()
    publisher.simulation.run()
    assert subscriber.replies() == []


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("threads", [1, 2])
def test_pipelines_on_sockets_publish_in_their_order(threads: int, protocol: int) -> None:
    """Where the server is compiled, this is another way through it: see `nogil_df.net._express`."""
    with NogilServer("--notify-keyspace-events=KA", threads=threads) as server:
        kind = "*" if protocol == 2 else ">"
        heard = ("news", "__keyspace@0__:k")
        listeners = [server.connect(protocol=protocol) for _ in range(4)]
        for listener in listeners:
            listener.send("SUBSCRIBE", *heard)
            for _ in heard:
                listener.receive()
            listener.send("SSUBSCRIBE", "news")
            listener.receive()
        publisher = server.connect(protocol=protocol)
        big = b"x" * 100_000
        lines: list[tuple[bytes, ...]] = [
            (b"SET", b"k", b"1"),
            (b"PUBLISH", b"news", b"first"),
            (b"ping",),
            (b"DEL", b"k"),
            (b"SPUBLISH", b"news", big),
            (b"ECHO", b"second"),
            (b"PUBLISH", b"news"),
            (b"PING", b"a", b"b"),
            (b"PING", b"third"),
            (b"PUBLISH", b"nowhere", b""),
            (b"PUBLISH", b"news", b""),
            (b"GET", b"k"),
        ]
        publisher.socket.sendall(b"".join(encode(line) for line in lines))
        assert [publisher.receive() for _ in lines] == [
            Reply("+", b"OK"),
            Reply(":", 4),
            Reply("+", b"PONG"),
            Reply(":", 1),
            Reply(":", 4),
            Reply("$", b"second"),
            Reply("-", b"ERR wrong number of arguments for 'publish' command"),
            Reply("-", b"ERR wrong number of arguments for 'ping' command"),
            Reply("$", b"third"),
            Reply(":", 0),
            Reply(":", 4),
            Reply("$" if protocol == 2 else "_", None),
        ]
        expected = [
            array(b"message", b"__keyspace@0__:k", b"set", kind=kind),
            array(b"message", b"news", b"first", kind=kind),
            array(b"message", b"__keyspace@0__:k", b"del", kind=kind),
            array(b"smessage", b"news", big, kind=kind),
            array(b"message", b"news", b"", kind=kind),
        ]
        events = [reply for reply in expected if b"__keyspace" in reply.value[1].value]
        for listener in listeners:
            got = [listener.receive() for _ in expected]
            if threads == 1:
                assert got == expected
            # The key's events come from its own thread.
            assert [reply for reply in got if reply not in events] == [
                reply for reply in expected if reply not in events
            ]
            assert [reply for reply in got if reply in events] == events
        stats = publisher.execute("INFO", "commandstats").value
        assert b"cmdstat_publish:calls=3," in stats
        assert b"cmdstat_ping:calls=3," in stats
        for connection in (publisher, *listeners):
            connection.close()
