"""`maxmemory` on a simulated server: what is refused, what is evicted, who is told."""

from __future__ import annotations

import pytest

from nogil_df.base.flags import Options
from tests.commands.console import Console
from tests.resp import Reply

OOM = Reply("-", b"OOM command not allowed when used memory > 'maxmemory'.")
ABORTED = Reply(
    "-",
    b"EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
)
OK = Reply("+", b"OK")

POLICIES = [f"{scope}-{kind}" for scope in ("allkeys", "volatile") for kind in ("lru", "lfu", "random")]
POLICIES.append("volatile-ttl")


def limited(limit: str, policy: str = "noeviction", **options: object) -> Console:
    redis = Console(options=Options(maxmemory=limit, **options))
    assert redis(f"CONFIG SET maxmemory-policy {policy}") == OK
    return redis


def fill(redis: Console, count: int, *, size: int = 1000, ttl: int = 0, prefix: str = "key") -> int:
    """Store keys until one is refused; how many were stored."""
    for number in range(count):
        words = f"SET {prefix}:{number} {'x' * size}" + (f" EX {ttl}" if ttl else "")
        if redis(words) == OOM:
            return number
    return count


def wait(redis: Console, seconds: int) -> None:
    for _ in range(seconds * 10):
        redis.simulation.advance(100)


def used(redis: Console) -> int:
    return sum(thread.proactor.shard.used for thread in redis.simulation.threads)


def info(redis: Console, section: str) -> dict[bytes, bytes]:
    text = redis.value(f"INFO {section}")
    return dict(line.split(b":", 1) for line in text.splitlines() if b":" in line)


def evicted(redis: Console) -> int:
    return int(info(redis, "stats")[b"evicted_keys"])


class TestRefusal:
    def test_writes_that_add_are_refused_and_nothing_else(self) -> None:
        redis = limited("1mb")
        stored = fill(redis, 3000)
        assert 700 < stored < 1100
        assert used(redis) + sum(t.state.memory.client_bytes for t in redis.simulation.threads) > 1 << 20
        assert used(redis) < (1 << 20) + 10_000
        for line in (
            "SET a 1",
            "INCR a",
            "LPUSH a 1",
            "HSET a f v",
            "APPEND key:1 x",
            "MSET a 1 b 2",
            "BITOP NOT a b",
        ):
            assert redis(line) == OOM, line
        assert redis.value("GET key:1") == b"x" * 1000
        assert redis("EXPIRE key:1 100") == Reply(":", 1)
        assert redis("PING").value == b"PONG"
        assert (
            int(info(redis, "commandstats")[b"cmdstat_append"].split(b"rejected_calls=")[1].split(b",")[0])
            == 1
        )
        assert redis("DEL key:1 key:2 key:3 key:4") == Reply(":", 4)
        assert redis("SET a 1") == OK
        redis.simulation.verify()

    def test_room_that_another_thread_made_is_seen_at_once(self) -> None:
        redis = limited("1mb")
        fill(redis, 3000)
        others = [redis.another(thread) for thread in range(3)]
        for other in others:
            assert other("SET a 1") == OOM
            assert redis("FLUSHALL") == OK
            assert other("SET a 1") == OK
            fill(redis, 3000)

    def test_a_higher_limit_counts_at_once_and_none_is_that_of_the_machine(self) -> None:
        redis = limited("200kb")
        fill(redis, 1000)
        assert redis("SET a 1") == OOM
        assert redis("CONFIG SET maxmemory 10mb") == OK
        assert redis("SET a 1") == OK
        assert redis("CONFIG SET maxmemory 1kb") == OK
        assert redis("SET a 1") == OOM
        assert redis("CONFIG SET maxmemory 0") == OK
        assert redis("SET a 1") == OK
        assert int(info(redis, "memory")[b"maxmemory"]) > 100 << 20

    def test_a_limit_with_a_ratio(self) -> None:
        redis = limited("500kb", oom_deny_ratio=1.5)
        fill(redis, 3000)
        assert 700_000 < used(redis) < 800_000

    def test_a_transaction_that_would_add_is_aborted(self) -> None:
        redis = limited("200kb")
        redis("SET before 1")
        assert redis("MULTI") == OK
        assert redis("SET late 1").value == b"QUEUED"
        redis.another()("SET big " + "x" * 300_000)
        assert redis("EXEC") == ABORTED
        assert redis("MULTI") == OK
        # Even what adds nothing: the queue itself takes memory.
        assert redis("GET before") == OOM
        assert redis("EXEC").value.startswith(b"EXECABORT Transaction discarded because of previous errors")
        assert redis("MULTI") == OK
        assert redis("DISCARD") == OK

    def test_a_transaction_that_adds_nothing_runs(self) -> None:
        redis = limited("200kb")
        redis("MULTI")
        redis("DEL big")
        redis.another()("SET big " + "x" * 300_000)
        assert redis("EXEC").value == (Reply(":", 1),)

    def test_scripts(self) -> None:
        redis = limited("200kb")
        redis("SET big " + "x" * 300_000)
        write = "return redis.call('SET', KEYS[1], ARGV[1])"
        refused = redis(f'EVAL "{write}" 1 a 1')
        assert refused.kind == "-"
        assert refused.value.startswith(OOM.value)
        assert redis("EVAL \"return redis.call('GET', KEYS[1])\" 1 a") == Reply("$", None)
        # Not again once it has written.
        assert redis("EVAL \"redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], 1)\" 1 a") == OK
        allowed = "#!lua flags=allow-oom\\n" + write
        assert redis(f'EVAL "{allowed}" 1 a 2') == OK
        reading = "#!lua flags=no-writes\\nreturn redis.call('GET', KEYS[1])"
        assert redis(f'EVAL "{reading}" 1 a').value == b"2"
        no_flag = "#!lua\\nreturn 1"
        assert redis(f'EVAL "{no_flag}" 0') == OOM

    def test_resident_memory_counts_too(self) -> None:
        redis = limited("10mb")
        redis.simulation.resident = 44 << 20
        redis.simulation.advance(1100)
        assert redis("SET a 1") == OK
        redis.simulation.resident = 45 << 20
        redis.simulation.advance(1100)
        assert redis("SET a 1") == OOM
        assert redis("CONFIG SET rss_oom_deny_ratio 0") == OK
        assert redis("SET a 1") == OK

    def test_what_the_machine_has_counts_whatever_maxmemory_is(self) -> None:
        """A container of 100 MB, of which 8 stay free; there is room again when the process has shrunk."""
        redis = limited("1gb")
        redis.simulation.usable = 100 << 20
        redis("CONFIG SET maxmemory 2gb")
        redis.simulation.resident = 91 << 20
        redis.simulation.advance(1100)
        assert redis("SET a 1") == OK
        redis.simulation.resident = 93 << 20
        redis.simulation.advance(1100)
        assert redis("SET a 1") == OOM
        assert redis("GET a") == Reply("$", b"1")
        redis.simulation.resident = 80 << 20
        redis.simulation.advance(1100)
        assert redis("SET a 1") == OK

    def test_the_process_is_looked_at_as_soon_as_it_may_have_grown_too_large(self) -> None:
        """Not in the next heartbeat only: a client that writes fast is quicker than that."""
        redis = limited("1gb")
        redis.simulation.usable = 100 << 20
        redis("CONFIG SET maxmemory 2gb")
        redis.simulation.resident = 90 << 20
        redis.simulation.advance(1100)
        assert fill(redis, 200) == 200
        redis.simulation.resident = 93 << 20
        assert fill(redis, 3000) < 2500


class TestEviction:
    def test_keys_go_when_the_process_is_too_large_for_the_machine(self) -> None:
        """And writes go on."""
        redis = limited("1gb", "allkeys-lru")
        redis.simulation.usable = 20 << 20
        redis("CONFIG SET maxmemory 2gb")
        fill(redis, 8000)
        redis.simulation.resident = (12 << 20) + 500_000
        redis.simulation.advance(200)
        assert redis("SET a 1") == OK
        # Half a megabyte of records of 1,000 bytes and a little more, though the process does not shrink.
        assert 450 < int(info(redis, "stats")[b"evicted_keys"]) < 800

    def test_a_process_that_does_not_shrink_is_not_emptied(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What it is too large by goes once, then as much as comes; more when it grows; it is told once."""
        redis = limited("1gb", "allkeys-lru")
        redis.simulation.usable = 20 << 20
        redis("CONFIG SET maxmemory 2gb")
        fill(redis, 8000)
        redis.simulation.resident = (12 << 20) + 500_000
        wait(redis, 30)
        first = evicted(redis)
        assert 450 < first < 800
        assert fill(redis, 2000, prefix="more") == 2000
        wait(redis, 30)
        assert first + 1900 < evicted(redis) < first + 2400
        second = evicted(redis)
        redis.simulation.resident += 500_000
        wait(redis, 30)
        assert second + 400 < evicted(redis) < second + 800
        third = evicted(redis)
        redis.simulation.resident = 8 << 20
        wait(redis, 3)
        assert fill(redis, 2000, prefix="most") == 2000
        assert evicted(redis) == third
        assert capsys.readouterr().err.count("evicting has not made it smaller") == 1

    def test_a_process_that_shrinks_too_little_is_made_smaller_still(self) -> None:
        redis = limited("1gb", "allkeys-lru")
        redis.simulation.usable = 20 << 20
        redis("CONFIG SET maxmemory 2gb")
        fill(redis, 8000)
        redis.simulation.resident = (12 << 20) + 1_000_000
        wait(redis, 2)
        assert 700 < evicted(redis) < 1400
        redis.simulation.resident = (12 << 20) + 400_000
        wait(redis, 10)
        assert 1100 < evicted(redis) < 2100

    def test_growth_beyond_the_ratio_is_evicted_once(self) -> None:
        redis = limited("10mb", "allkeys-lru", enable_heartbeat_rss_eviction=True)
        fill(redis, 8000)
        redis.simulation.resident = int(10 * 1.25 * (1 << 20)) + (32 << 20) + 1_000_000
        wait(redis, 60)
        assert 800 < evicted(redis) < 1400

    def test_shards_stay_even_though_one_thread_looks_more_often(self) -> None:
        redis = limited("600kb", "allkeys-lru")
        threads = redis.simulation.threads
        assert len(threads) > 1
        for number in range(3000):
            assert redis(f"SET key:{number} {'x' * 300}") == OK
            for _ in range(3):
                threads[0].state.memory.look()
        held = [thread.proactor.shard.used for thread in threads]
        assert min(held) > 0.8 * max(held)
        assert used(redis) < 630_000

    @pytest.mark.parametrize("policy", POLICIES)
    def test_memory_stays_below_the_limit(self, policy: str) -> None:
        redis = limited("500kb", policy)
        assert fill(redis, 2000, size=300, ttl=100) == 2000
        assert used(redis) < 520_000
        kept = redis.value("DBSIZE")
        evicted = int(info(redis, "stats")[b"evicted_keys"])
        assert kept + evicted == 2000
        assert kept > 500
        redis.simulation.verify()

    def test_volatile_policies_spare_keys_without_a_deadline(self) -> None:
        redis = limited("500kb", "volatile-lru")
        fill(redis, 300, size=300, prefix="keep")
        fill(redis, 2000, size=300, ttl=100)
        assert all(redis.value(f"EXISTS keep:{number}") for number in range(300))
        redis("FLUSHALL")
        assert fill(redis, 3000, size=300) < 2000
        assert redis("SET a 1") == OOM
        assert redis("SET big x EX 100") == OOM

    def test_lru_spares_what_was_used(self) -> None:
        redis = limited("500kb", "allkeys-lru")
        fill(redis, 200, size=300, prefix="hot")
        for start in range(10):
            redis.simulation.advance(1500)
            for number in range(200):
                redis(f"GET hot:{number}")
            fill(redis, 200, size=300, prefix=f"cold{start}")
        assert sum(redis.value(f"EXISTS hot:{number}") for number in range(200)) > 190

    def test_lfu_spares_what_is_used_often(self) -> None:
        redis = limited("500kb", "allkeys-lfu")
        fill(redis, 200, size=300, prefix="hot")
        for _ in range(20):
            for number in range(200):
                redis(f"GET hot:{number}")
        fill(redis, 3000, size=300, prefix="cold")
        assert sum(redis.value(f"EXISTS hot:{number}") for number in range(200)) > 190

    def test_ttl_evicts_what_expires_first(self) -> None:
        redis = limited("500kb", "volatile-ttl")
        fill(redis, 300, size=300, ttl=5000, prefix="late")
        fill(redis, 2000, size=300, ttl=50)
        assert sum(redis.value(f"EXISTS late:{number}") for number in range(300)) > 295

    def test_cache_mode_keeps_what_is_used_while_a_scan_passes(self) -> None:
        redis = limited("500kb", cache_mode=True)
        fill(redis, 200, size=300, prefix="hot")
        for _ in range(3):
            for number in range(200):
                redis(f"GET hot:{number}")
        fill(redis, 5000, size=300, prefix="scan")
        assert sum(redis.value(f"EXISTS hot:{number}") for number in range(200)) > 190
        assert info(redis, "memory")[b"maxmemory_policy"] == b"eviction"
        assert redis.value("OBJECT FREQ hot:0") in range(8)
        redis.simulation.verify()

    def test_eviction_is_an_event_and_spoils_watches(self) -> None:
        redis = limited("500kb", "allkeys-random")
        redis("CONFIG SET notify-keyspace-events Ee")
        listener = redis.another()
        listener("SUBSCRIBE __keyevent@0__:evicted")
        watcher = redis.another()
        watcher("SET victim 1")
        watcher("WATCH victim")
        watcher("MULTI")
        watcher("PING")
        fill(redis, 6000, size=300)
        assert redis.value("EXISTS victim") == 0
        assert watcher("EXEC") == Reply("*", None)
        events = listener.replies()
        assert len(events) == int(info(redis, "stats")[b"evicted_keys"])
        assert {event.value[1].value for event in events} == {b"__keyevent@0__:evicted"}

    def test_keys_that_a_transaction_holds_stay(self) -> None:
        redis = limited("500kb", "allkeys-random")
        fill(redis, 100, size=300, prefix="held")
        for thread in redis.simulation.threads:
            shard = thread.proactor.shard
            held = {shard.hash_key(key) for key, _, _ in shard.dbs[0].table.items()}
            thread.proactor.engine.locks.acquire(set(), held)
            shard.evictor.evict(1 << 20, 1 << 10, thread.proactor.engine.locks.is_wanted)
            assert {shard.hash_key(key) for key, _, _ in shard.dbs[0].table.items()} == held
            thread.proactor.engine.locks.release(set(), held)

    def test_a_shard_with_little_lets_the_others_evict(self) -> None:
        redis = limited("1mb", "allkeys-lru")
        for number in range(40):
            redis(f"SETRANGE big:{number} 20000 x")
        assert used(redis) < 1_100_000
        redis.simulation.verify()

    def test_databases_share_the_limit(self) -> None:
        redis = limited("500kb", "allkeys-lru")
        fill(redis, 800, size=300)
        redis("SELECT 3")
        fill(redis, 3000, size=300)
        assert used(redis) < 520_000
        assert redis.value("DBSIZE") > 300

    def test_heartbeats_keep_some_memory_free_in_cache_mode(self) -> None:
        redis = limited("1mb", cache_mode=True, eviction_memory_budget_threshold=0.3)
        fill(redis, 3000, size=300)
        assert used(redis) < 740_000


class TestClients:
    def test_clients_that_take_too_much_are_disconnected(self) -> None:
        redis = Console()
        greedy, spared = redis.another(), redis.another()
        spared("CLIENT NO-EVICT on")
        for client in (greedy, spared):
            client("MULTI")
            client("SET k " + "x" * 3_000_000)
        redis("CONFIG SET maxmemory-clients 1mb")
        redis.simulation.advance(1100)
        assert greedy.client.closed
        assert not spared.client.closed
        assert not redis.client.closed
        assert int(info(redis, "stats")[b"evicted_clients"]) == 1

    @pytest.mark.parametrize("count", [1, 2])
    def test_no_touch_leaves_idle_times_alone(self, count: int) -> None:
        redis = Console()
        redis("MSET k v j w i u")
        wait(redis, 30)
        quiet = redis.another()
        assert quiet("CLIENT NO-TOUCH on") == OK
        keys = " ".join("kji"[:count])
        command = f"GET {keys}" if count == 1 else f"MGET {keys}"
        quiet(command)
        assert redis.value("OBJECT IDLETIME k") > 20
        quiet(f"TOUCH {keys}")
        assert redis.value("OBJECT IDLETIME k") == 0
        wait(redis, 30)
        assert redis.value("OBJECT IDLETIME k") > 20
        quiet("CLIENT NO-TOUCH off")
        quiet(command)
        assert redis.value("OBJECT IDLETIME k") == 0
