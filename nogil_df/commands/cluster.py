"""CLUSTER, READONLY, READWRITE, ASKING: a cluster of one node that has all slots (`cluster_mode=emulated`).

Applications written for Redis Cluster ask it for a map of slots and nodes, and send each command to the node
that the map names. One process that uses all cores is a whole cluster for them: the map has one entry.
Nothing is ever redirected, and commands on keys of several slots work, as the node has them all; clients
refuse those themselves where they think they must. All keys of a {tag} live on one shard in this mode (see
`nogil_df.base.hashing`), so that what such applications do with several keys stays on one thread.

What manages a cluster has nothing to manage. Each such subcommand checks its arguments as Redis does, and
then says what is true of this node: its slots are busy, itself it can't forget, RESET has nothing to undo.
What would take slots away, or bring a second node in, is an error. None of them changes anything.

Node and shard have ids of 40 hexadecimal digits; the node's is the flag `cluster_node_id`, or random.
Sources: Redis cluster specification; redis-server 7.0.15; documentation of Dragonfly's emulated mode.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.hashing import SLOTS, slot_of
from nogil_df.base.numbers import parse_int
from nogil_df.commands.help import help_row
from nogil_df.commands.scan import HOP_KEYS, lock_nothing
from nogil_df.commands.spec import ALL_SHARED, Row, container, local, multi
from nogil_df.wire.values import OK, Simple, Verbatim

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogil_df.base.config import ConfigView
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.shard.shard import Shard

Args = list[bytes]

EPOCH = 1
"""The configuration epoch: that of a node that has been alone since it got its slots."""


def is_cluster(config: ConfigView) -> bool:
    """Whether this server passes for a cluster. O(1)."""
    return config.cluster_mode == "emulated"


def require_cluster(session: Session) -> None:
    """Raises ReplyError where this server is no cluster."""
    if not is_cluster(session.dispatcher.config):
        raise ReplyError("CLUSTER_DISABLED")


def refuse_in_cluster(session: Session, what: str) -> None:
    """Raises ReplyError, "``what`` is not allowed", in a cluster: it has only database 0."""
    if is_cluster(session.dispatcher.config):
        raise ReplyError("CLUSTER_NOT_ALLOWED", what)


def refuse_no_cluster(state: ThreadState) -> None:
    """Raises ReplyError in a cluster, for a script or function with the flag ``no-cluster``."""
    if is_cluster(state.config):
        raise ReplyError("ERR", "Can not run script on cluster, 'no-cluster' flag is set.")


# --- the node ---


def node_id(session: Session) -> bytes:
    """The id of this node."""
    state = session.dispatcher.state
    return (state.config.cluster_node_id or str(state.server.replication_id)).encode()


def shard_id(session: Session) -> bytes:
    """The id of the cluster's only shard, made of the node's."""
    return hashlib.sha1(b"shard of " + node_id(session), usedforsecurity=False).hexdigest().encode()


def place(session: Session) -> tuple[bytes, int]:
    """Address and port under which clients are told to find this node.

    That is what was said by `cluster_announce_ip` and `announce_port`; else the address that this very client
    came to. A client of the unix socket gets no address, which means "where you are".
    """
    state = session.dispatcher.state
    config = state.config
    port = config.cluster_announce_port or state.server.port
    if config.cluster_announce_ip:
        return config.cluster_announce_ip.encode(), port
    if session.unix_socket:
        return b"", port
    host = session.local_address.rpartition(":")[0].strip("[]")
    return host.removeprefix("::ffff:").encode(), port


def parse_slot(word: bytes) -> int:
    """A slot.

    Raises:
        ReplyError: there is none of that number.
    """
    slot = parse_int(word)
    if slot is None or not 0 <= slot < SLOTS:
        raise ReplyError("CLUSTER_SLOT")
    return slot


def require_myself(session: Session, word: bytes, error: str = "CLUSTER_UNKNOWN_NODE") -> None:
    """Raises ReplyError if ``word`` names any other node than the one there is."""
    if word != node_id(session):
        raise ReplyError(error, word)


# --- what clients ask ---


def run_info(session: Session, args: Args) -> Verbatim:
    """CLUSTER INFO."""
    figures = {
        "cluster_state": "ok",
        "cluster_slots_assigned": SLOTS,
        "cluster_slots_ok": SLOTS,
        "cluster_slots_pfail": 0,
        "cluster_slots_fail": 0,
        "cluster_known_nodes": 1,
        "cluster_size": 1,
        "cluster_current_epoch": EPOCH,
        "cluster_my_epoch": EPOCH,
        "cluster_stats_messages_sent": 0,
        "cluster_stats_messages_received": 0,
        "total_cluster_links_buffer_limit_exceeded": 0,
    }
    return Verbatim(b"txt", "".join(f"{name}:{value}\r\n" for name, value in figures.items()).encode())


def node_line(session: Session) -> bytes:
    """This node as CLUSTER NODES shows it; there is no cluster bus, so its port is the node's."""
    host, port = place(session)
    slots = b"0-%d" % (SLOTS - 1)
    return b"%b %b:%d@%d myself,master - 0 0 %d connected %b" % (
        node_id(session),
        host,
        port,
        port,
        EPOCH,
        slots,
    )


def run_nodes(session: Session, args: Args) -> Verbatim:
    """CLUSTER NODES."""
    return Verbatim(b"txt", node_line(session) + b"\n")


def run_slots(session: Session, args: Args) -> list[Any]:
    """CLUSTER SLOTS: one range; its only node as [address, port, id, metadata]."""
    host, port = place(session)
    return [[0, SLOTS - 1, [host, port, node_id(session), {}]]]


def run_shards(session: Session, args: Args) -> list[Any]:
    """CLUSTER SHARDS: one shard of one node."""
    host, port = place(session)
    node = {
        b"id": node_id(session),
        b"port": port,
        b"ip": host,
        b"endpoint": host,
        b"role": b"master",
        b"replication-offset": 0,
        b"health": b"online",
    }
    return [{b"slots": [0, SLOTS - 1], b"nodes": [node]}]


def run_myid(session: Session, args: Args) -> bytes:
    """CLUSTER MYID."""
    return node_id(session)


def run_myshardid(session: Session, args: Args) -> bytes:
    """CLUSTER MYSHARDID."""
    return shard_id(session)


def run_links(session: Session, args: Args) -> list[Any]:
    """CLUSTER LINKS: to other nodes, of which there are none."""
    return []


def run_keyslot(session: Session, args: Args) -> int:
    """CLUSTER KEYSLOT key."""
    return slot_of(args[2])


def cmd_countkeysinslot(context: Context, args: Args) -> Steps:
    """CLUSTER COUNTKEYSINSLOT slot. O(keys), as no table is ordered by slots."""
    require_cluster(context.session)
    slot = parse_int(args[2])
    if slot is None:
        raise ReplyError("NOT_INTEGER")
    if not 0 <= slot < SLOTS:
        raise ReplyError("CLUSTER_COUNT_SLOT")
    return len((yield from keys_in_slot(context, slot, 1 << 62)))


def cmd_getkeysinslot(context: Context, args: Args) -> Steps:
    """CLUSTER GETKEYSINSLOT slot count. O(keys)."""
    require_cluster(context.session)
    slot, count = parse_int(args[2]), parse_int(args[3])
    if slot is None or count is None:
        raise ReplyError("NOT_INTEGER")
    if not 0 <= slot < SLOTS or count < 0:
        raise ReplyError("CLUSTER_SLOT_OR_COUNT")
    return list((yield from keys_in_slot(context, slot, count)))[:count]


def keys_in_slot(context: Context, slot: int, most: int) -> Steps:
    """The keys of a slot, as SCAN would find them: shard by shard, in hops of `HOP_KEYS` keys.

    Args:
        most: enough once so many are found.

    Returns:
        A dict whose keys they are; no key comes twice, whatever splits happen meanwhile.
    """
    found: dict[bytes, None] = {}
    for shard in range(context.proactor.count):
        at = 0
        while len(found) < most:
            at, keys = yield from context.alone(shard, traverse, (at, slot))
            found |= dict.fromkeys(keys)
            if not at:
                break
    return found


def traverse(shard: Shard, request: tuple[int, int]) -> tuple[int, list[bytes]]:
    """Some steps through the table of database 0: (next place, keys of the slot)."""
    at, slot = request
    step = shard.dbs[0].table.scan
    seen = 0
    found: list[bytes] = []
    while True:
        at, keys = step(at)
        seen += len(keys) + 1
        found += [key for key in keys if slot_of(key) == slot]
        if not at or seen >= HOP_KEYS:
            return at, found


# --- what manages a cluster ---


def run_addslots(session: Session, args: Args) -> Any:
    """CLUSTER ADDSLOTS slot...: they are all here already."""
    slots = [parse_slot(word) for word in args[2:]]
    raise ReplyError("CLUSTER_SLOT_BUSY", slots[0])


def run_delslots(session: Session, args: Args) -> Any:
    """CLUSTER DELSLOTS slot...: refused."""
    for word in args[2:]:
        parse_slot(word)
    raise ReplyError("CLUSTER_FIXED")


def _range_begins(args: Args) -> list[int]:
    """The first slots of the ranges that ADDSLOTSRANGE and DELSLOTSRANGE are given."""
    if len(args) % 2:
        raise ReplyError("WRONG_ARITY", f"cluster|{args[1].decode('latin-1').lower()}")
    begins = []
    for first, last in zip(args[2::2], args[3::2], strict=True):
        begin, end = parse_slot(first), parse_slot(last)
        if begin > end:
            raise ReplyError("CLUSTER_RANGE", begin, end)
        begins.append(begin)
    return begins


def run_addslotsrange(session: Session, args: Args) -> Any:
    """CLUSTER ADDSLOTSRANGE start end...: they are all here already."""
    raise ReplyError("CLUSTER_SLOT_BUSY", _range_begins(args)[0])


def run_delslotsrange(session: Session, args: Args) -> Any:
    """CLUSTER DELSLOTSRANGE start end...: refused."""
    _range_begins(args)
    raise ReplyError("CLUSTER_FIXED")


def run_fixed(session: Session, args: Args) -> Any:
    """CLUSTER FLUSHSLOTS and MEET: refused."""
    raise ReplyError("CLUSTER_FIXED")


def run_setslot(session: Session, args: Args) -> Any:
    """CLUSTER SETSLOT slot action [node-id]: fine as far as it says what is so anyway."""
    slot = parse_slot(args[2])
    action = args[3].upper()
    if action == b"STABLE" and len(args) == 4:
        return OK
    if action not in (b"IMPORTING", b"MIGRATING", b"NODE") or len(args) != 5:
        raise ReplyError("CLUSTER_SETSLOT")
    if action == b"NODE":
        require_myself(session, args[4])
        return OK
    if action == b"IMPORTING":
        raise ReplyError("CLUSTER_OWNER", slot)
    require_myself(session, args[4], "CLUSTER_NO_NODE")
    raise ReplyError("CLUSTER_FIXED")


def run_forget(session: Session, args: Args) -> Any:
    """CLUSTER FORGET node-id."""
    require_myself(session, args[2])
    raise ReplyError("ERR", "I tried hard but I can't forget myself...")


def run_replicate(session: Session, args: Args) -> Any:
    """CLUSTER REPLICATE node-id."""
    require_myself(session, args[2])
    raise ReplyError("ERR", "Can't replicate myself")


def run_replicas(session: Session, args: Args) -> list[Any]:
    """CLUSTER REPLICAS and SLAVES node-id."""
    require_myself(session, args[2])
    return []


def run_count_failure_reports(session: Session, args: Args) -> int:
    """CLUSTER COUNT-FAILURE-REPORTS node-id."""
    require_myself(session, args[2])
    return 0


def run_failover(session: Session, args: Args) -> Any:
    """CLUSTER FAILOVER [FORCE | TAKEOVER]: for replicas only."""
    if len(args) > 3 or (len(args) == 3 and args[2].upper() not in (b"FORCE", b"TAKEOVER")):
        raise ReplyError("SYNTAX")
    raise ReplyError("ERR", "You should send CLUSTER FAILOVER to a replica")


def cmd_reset(context: Context, args: Args) -> Steps:
    """CLUSTER RESET [HARD | SOFT]: there is nothing to undo; as in Redis, an error while there are keys."""
    require_cluster(context.session)
    if len(args) > 3 or (len(args) == 3 and args[2].upper() not in (b"HARD", b"SOFT")):
        raise ReplyError("SYNTAX")
    sizes = yield from context.all_shards(count_keys, None, last=True)
    if any(sizes):
        raise ReplyError("ERR", "CLUSTER RESET can't be called with master nodes containing keys")
    return OK


def count_keys(shard: Shard, argument: None) -> int:
    """Keys of a shard in database 0. O(1)."""
    return len(shard.dbs[0])


def run_nothing_to_do(session: Session, args: Args) -> Any:
    """CLUSTER SAVECONFIG: there is no file that could lag behind."""
    return OK


def run_bumpepoch(session: Session, args: Args) -> Simple:
    """CLUSTER BUMPEPOCH: nobody has a greater one."""
    return Simple(b"STILL %d" % EPOCH)


def run_set_config_epoch(session: Session, args: Args) -> Any:
    """CLUSTER SET-CONFIG-EPOCH epoch: only for nodes that have none."""
    epoch = parse_int(args[2])
    if epoch is None:
        raise ReplyError("NOT_INTEGER")
    if epoch < 0:
        raise ReplyError("ERR", f"Invalid config epoch specified: {epoch}")
    raise ReplyError("ERR", "Node config epoch is already non-zero")


# --- READONLY, READWRITE, ASKING ---


def run_flag(session: Session, args: Args) -> Any:
    """READONLY, READWRITE, ASKING: they matter on replicas and during migrations; there are none."""
    require_cluster(session)
    return OK


def _in_cluster(run: Callable[[Session, Args], Any], session: Session, args: Args) -> Any:
    require_cluster(session)
    return run(session, args)


_TELLS = {"flags": "stale", "acl": "@slow"}
_MANAGES = {"flags": "admin stale no_async_loading", "acl": "@admin @slow @dangerous"}


def _row(name: str, arity: int, run: Callable[[Session, Args], Any], summary: str, **rest: Any) -> Row:
    """A subcommand that concerns no data; it is an error where this server is no cluster."""
    kind = _TELLS | {"since": "3.0.0", "syntax": "", "tips": ""} | rest
    flags = kind.pop("flags")
    return local(
        f"CLUSTER {name}",
        arity,
        flags,
        run=partial(_in_cluster, run),
        group="cluster",
        summary=summary,
        **kind,
    )


def _walk(name: str, arity: int, run: Callable[[Context, Args], Steps], syntax: str, summary: str) -> Row:
    return multi(
        f"CLUSTER {name}",
        arity,
        "stale",
        run=run,
        scope=ALL_SHARED,
        lock=lock_nothing,
        acl="@slow",
        since="3.0.0",
        group="cluster",
        syntax=syntax,
        summary=summary,
        complexity="O(N), the keys of the server",
        tips="nondeterministic_output" if run is cmd_getkeysinslot else "",
    )


def _flag_row(name: str, flags: str, summary: str) -> Row:
    return local(
        name,
        1,
        flags,
        run=run_flag,
        acl="@fast @connection",
        since="3.0.0",
        group="cluster",
        summary=summary,
    )


_SLOT_LIST = "slot [slot ...]"
_SLOT_RANGES = "start-slot end-slot [start-slot end-slot ...]"

TABLE: tuple[Row, ...] = (
    container(
        "CLUSTER",
        -2,
        "",
        _row(
            "ADDSLOTS",
            -3,
            run_addslots,
            "Gives slots to the node; all are there.",
            syntax=_SLOT_LIST,
            **_MANAGES,
        ),
        _row(
            "ADDSLOTSRANGE",
            -4,
            run_addslotsrange,
            "Gives ranges of slots to the node; all are there.",
            syntax=_SLOT_RANGES,
            since="7.0.0",
            **_MANAGES,
        ),
        _row("BUMPEPOCH", 2, run_bumpepoch, "Tells the epoch, which is the greatest.", **_MANAGES),
        _row(
            "COUNT-FAILURE-REPORTS",
            3,
            run_count_failure_reports,
            "Tells how many nodes think that a node has failed.",
            syntax="node-id",
            flags="admin stale",
            acl="@admin @slow @dangerous",
        ),
        _walk("COUNTKEYSINSLOT", 3, cmd_countkeysinslot, "slot", "Tells how many keys a slot has."),
        _row(
            "DELSLOTS", -3, run_delslots, "Takes slots from the node; refused.", syntax=_SLOT_LIST, **_MANAGES
        ),
        _row(
            "DELSLOTSRANGE",
            -4,
            run_delslotsrange,
            "Takes ranges of slots from the node; refused.",
            syntax=_SLOT_RANGES,
            since="7.0.0",
            **_MANAGES,
        ),
        _row(
            "FAILOVER",
            -2,
            run_failover,
            "Makes a replica the master; there is none.",
            syntax="[FORCE|TAKEOVER]",
            **_MANAGES,
        ),
        _row("FLUSHSLOTS", 2, run_fixed, "Takes all slots from the node; refused.", **_MANAGES),
        _row("FORGET", 3, run_forget, "Removes another node; there is none.", syntax="node-id", **_MANAGES),
        _walk("GETKEYSINSLOT", 4, cmd_getkeysinslot, "slot count", "Gives keys of a slot."),
        help_row("CLUSTER", group="cluster"),
        _row("INFO", 2, run_info, "Tells the state of the cluster.", tips="nondeterministic_output"),
        _row("KEYSLOT", 3, run_keyslot, "Tells the slot of a key.", syntax="key"),
        _row(
            "LINKS",
            2,
            run_links,
            "Lists the links to other nodes.",
            since="7.0.0",
            tips="nondeterministic_output",
        ),
        _row(
            "MEET",
            -4,
            run_fixed,
            "Brings another node in; refused.",
            syntax="ip port [cluster-bus-port]",
            **_MANAGES,
        ),
        _row("MYID", 2, run_myid, "Tells the id of the node."),
        _row(
            "MYSHARDID",
            2,
            run_myshardid,
            "Tells the id of the shard of the node.",
            since="7.2.0",
            tips="nondeterministic_output",
        ),
        _row("NODES", 2, run_nodes, "Lists the nodes as lines of text.", tips="nondeterministic_output"),
        _row(
            "REPLICAS",
            3,
            run_replicas,
            "Lists the replicas of a node.",
            syntax="node-id",
            since="5.0.0",
            tips="nondeterministic_output",
            flags="admin stale",
            acl="@admin @slow @dangerous",
        ),
        _row(
            "REPLICATE", 3, run_replicate, "Makes the node a replica; refused.", syntax="node-id", **_MANAGES
        ),
        multi(
            "CLUSTER RESET",
            -2,
            "admin noscript stale",
            run=cmd_reset,
            scope=ALL_SHARED,
            acl="@admin @slow @dangerous",
            since="3.0.0",
            group="cluster",
            syntax="[HARD|SOFT]",
            summary="Forgets other nodes; there are none.",
        ),
        _row("SAVECONFIG", 2, run_nothing_to_do, "Writes the state of the cluster to disk.", **_MANAGES),
        _row(
            "SET-CONFIG-EPOCH",
            3,
            run_set_config_epoch,
            "Gives an epoch to a node that has none.",
            syntax="config-epoch",
            **_MANAGES,
        ),
        _row(
            "SETSLOT",
            -4,
            run_setslot,
            "Tells what becomes of a slot; it stays.",
            syntax="slot <IMPORTING node-id|MIGRATING node-id|NODE node-id|STABLE>",
            **_MANAGES,
        ),
        _row(
            "SHARDS",
            2,
            run_shards,
            "Lists the shards of the cluster.",
            since="7.0.0",
            flags="loading stale",
            tips="nondeterministic_output",
        ),
        _row(
            "SLAVES",
            3,
            run_replicas,
            "Lists the replicas of a node.",
            syntax="node-id",
            tips="nondeterministic_output",
            flags="admin stale",
            acl="@admin @slow @dangerous",
        ),
        _row(
            "SLOTS",
            2,
            run_slots,
            "Tells which node has which slots.",
            flags="loading stale",
            tips="nondeterministic_output",
        ),
        acl="@slow",
        since="3.0.0",
        group="cluster",
        summary="Commands about the cluster.",
        complexity="depends on the subcommand",
    ),
    _flag_row("ASKING", "fast", "Lets the next command in on a slot that is being imported."),
    _flag_row("READONLY", "loading stale fast", "Lets the client read from a replica."),
    _flag_row("READWRITE", "loading stale fast", "Takes READONLY back."),
)
