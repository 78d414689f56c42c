"""DUMP of what redis-server 7.0 does not have: it refuses the payload, and nothing is lost on the way."""

from __future__ import annotations

from tests.differential.test_dump_exchange import OK, send, told
from tests.servers import Server


def test_deadlines_of_fields_are_refused_and_not_lost(reference: Server, subject: Server) -> None:
    with reference.connect() as redis, subject.connect() as ours:
        for connection in (redis, ours):
            connection.execute("FLUSHALL")
        ours.execute("HSET", "k", "a", "1", "b", "2")
        ours.execute("HPEXPIREAT", "k", "5000000000000", "FIELDS", "1", "a")
        payload = ours.execute("DUMP", "k").value
        refused = redis.execute("RESTORE", "k", "0", payload)
        assert (refused.kind, refused.value) == ("-", b"ERR DUMP payload version or checksum are wrong")
        assert ours.execute("RESTORE", "copy", "0", payload) == OK
        assert (
            ours.execute("HPEXPIRETIME", "copy", "FIELDS", "2", "a", "b").value
            == ours.execute("HPEXPIRETIME", "k", "FIELDS", "2", "a", "b").value
        )
        ours.execute("HPERSIST", "k", "FIELDS", "1", "a")
        assert send(ours, redis) == told(ours)
