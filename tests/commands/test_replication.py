"""WAIT and WAITAOF on a server without replicas: they wait for what never comes, and end all the same."""

from __future__ import annotations

from tests.commands.console import Console
from tests.resp import Reply


def test_nothing_to_wait_for_is_answered_at_once() -> None:
    redis = Console()
    assert redis("WAIT 0 0") == Reply(":", 0)
    assert redis("WAIT -1 0") == Reply(":", 0)
    assert redis("WAITAOF 0 0 0") == Reply("*", (Reply(":", 0), Reply(":", 0)))


def test_bad_arguments() -> None:
    redis = Console()
    assert redis("WAIT x 1").value == b"ERR value is not an integer or out of range"
    assert redis("WAIT 1 -1").value == b"ERR timeout is negative"
    assert redis("WAIT 1 1.5").value == b"ERR timeout is not an integer or out of range"
    assert redis("WAITAOF 2 0 0").kind == "-"
    assert redis("WAITAOF 1 0 0").value.endswith(b"but appendonly is disabled.")


def test_waiting_ends_with_the_time_or_client_unblock() -> None:
    redis = Console()
    other = redis.another()
    redis.client.send([b"WAIT", b"1", b"500"], [b"WAITAOF", b"0", b"1", b"0"])
    redis.simulation.run()
    assert redis.replies() == []
    redis.simulation.advance(499)
    redis.simulation.run()
    assert redis.replies() == []
    redis.simulation.advance(1)
    redis.simulation.run()
    assert redis.replies() == [Reply(":", 0)]
    assert other("INFO clients").value.count(b"blocked_clients:1") == 1
    assert other(f"CLIENT UNBLOCK {redis.client.session.id} ERROR") == Reply(":", 1)
    assert redis.replies()[0].value.startswith(b"UNBLOCKED")
    assert redis("PING") == Reply("+", b"PONG")


def test_whoever_waits_may_leave_and_multi_does_not_wait() -> None:
    redis = Console()
    gone = redis.another()
    gone.client.send([b"WAIT", b"1", b"0"])
    redis.simulation.run()
    gone.client.close(after_replies=False)
    redis("MULTI")
    redis("WAIT 1 0")
    assert redis("EXEC") == Reply("*", (Reply(":", 0),))
    assert all(thread.state.timers.next_time() is None for thread in redis.simulation.threads)
