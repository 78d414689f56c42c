"""redis-py with users of the ACL, and locks that are released and extended by scripts."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, LockError, LockNotOwnedError, NoPermissionError
from redis.retry import Retry

from tests.patience import PATIENCE
from tests.servers import NogilServer


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def admin(request: pytest.FixtureRequest, server: NogilServer) -> Iterator[redis.Redis]:
    """A client that may do everything; the users that a test made are gone after it."""
    with redis.Redis(server.host, server.port, protocol=request.param, socket_timeout=PATIENCE) as it:
        yield it
        it.acl_deluser("alice")


def _alice(admin: redis.Redis, password: str = "secret") -> redis.Redis:
    options = admin.connection_pool.connection_kwargs
    return redis.Redis(
        options["host"],
        options["port"],
        username="alice",
        password=password,
        protocol=options["protocol"],
        retry=Retry(NoBackoff(), 0),
    )


def test_a_user_with_limits(admin: redis.Redis) -> None:
    assert admin.acl_setuser(
        "alice",
        enabled=True,
        passwords=["+secret"],
        categories=["+@read", "+@connection", "+@transaction"],
        commands=["+set", "+acl|whoami"],
        keys=["app:*"],
        channels=["news:*"],
    )
    user = admin.acl_getuser("alice")
    assert "on" in user["flags"]
    assert user["enabled"]
    assert "~app:*" in str(user["keys"])
    with _alice(admin) as alice:
        assert alice.acl_whoami() in ("alice", b"alice")
        assert alice.set("app:a", "1") is True
        assert alice.get("app:a") == b"1"
        with pytest.raises(NoPermissionError):
            alice.get("other")
        with pytest.raises(NoPermissionError):
            alice.delete("app:a")
        with alice.pipeline() as pipeline:
            pipeline.set("app:b", 1).flushall()
            with pytest.raises(NoPermissionError):
                pipeline.execute()
    assert admin.exists("app:b") == 0
    log = admin.acl_log()
    assert {entry["username"] for entry in log[:3]} == {"alice"}
    assert {entry["reason"] for entry in log[:3]} == {"key", "command"}
    assert admin.acl_log_reset() is True


def test_a_wrong_password_and_a_user_that_goes(admin: redis.Redis) -> None:
    admin.acl_setuser("alice", enabled=True, passwords=["+secret"], commands=["+@all"], keys=["*"])
    with _alice(admin, "wrong") as stranger, pytest.raises(AuthenticationError):
        stranger.ping()
    with _alice(admin) as alice:
        assert alice.ping() is True
        assert admin.acl_deluser("alice") == 1
        with pytest.raises((redis.ConnectionError, AuthenticationError)):
            alice.ping()


def test_what_tools_ask_about_users(admin: redis.Redis) -> None:
    assert {"read", "write", "admin", "dangerous"} <= {str(name) for name in _text(admin.acl_cat())}
    assert "get" in _text(admin.acl_cat("string"))
    assert "default" in _text(admin.acl_users())
    assert any(line.startswith("user default on") for line in _text(admin.acl_list()))
    assert len(_text([admin.acl_genpass(64)])[0]) == 16
    admin.acl_setuser("alice", enabled=True, nopass=True, commands=["+get"], keys=["a*"])
    assert _text([admin.acl_dryrun("alice", "GET", "a")]) == ["OK"]
    assert "set" in _text([admin.acl_dryrun("alice", "SET", "a", "1")])[0]


def _text(values: list[bytes | str]) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else value for value in values]


def test_a_lock_is_extended_and_released_by_its_owner_only(admin: redis.Redis) -> None:
    lock, other = admin.lock("lock", timeout=60), admin.lock("lock", timeout=60, blocking=False)
    with lock:
        assert not other.acquire()
        assert lock.extend(100) is True
        assert 150 < admin.ttl("lock") <= 160
        assert lock.reacquire() is True
        assert 50 < admin.ttl("lock") <= 60
    assert admin.exists("lock") == 0
    assert other.acquire()
    with pytest.raises(LockError):
        lock.release()
    admin.set("lock", "stolen")
    with pytest.raises(LockNotOwnedError):
        other.release()


def test_a_lock_lets_one_thread_in(admin: redis.Redis) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(5):
            with admin.lock("lock", timeout=60, sleep=0.005, blocking_timeout=60):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert most == [1] * 20
