"""Geo commands: places are members of a sorted set, their scores numbers of cells (`nogil_df.base.geohash`).

A search looks up at most nine ranges of scores, on the shard of the key, and keeps what is inside the shape.
The STORE forms have a second hop, on the shard of the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from nogil_df.base import geohash
from nogil_df.base.errors import ReplyError
from nogil_df.base.geohash import Shape, decode, distance, encode, is_place
from nogil_df.base.numbers import parse_float, parse_int
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.sorted_sets import CH, NX, XX, add_one, add_pairs, read_sorted_set
from nogil_df.commands.sorted_sets_ranges import settle, settle_copy
from nogil_df.commands.spec import Row, multi, single
from nogil_df.wire.values import NULL_ARRAY, Raw

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.sorted_sets import SortedSetValue

Args = list[bytes]

UNITS = {b"m": 1.0, b"km": 1000.0, b"ft": 0.3048, b"mi": 1609.34}
"""Metres."""


_NOWHERE = Shape(0.0, 0.0, 0.0)


Found = tuple[bytes, float, float, float, float]
"""A member inside the shape: its name, metres from the middle, its score, longitude and latitude."""

_AWAY = itemgetter(1)


@dataclass(slots=True)
class Search:
    """What a search asks for.

    Attributes:
        key: where the members are.
        member: the middle of the shape, if that is given as a member.
        shape: the shape; its middle is not known yet if there is a member.
        unit: metres in one of the unit that distances are answered in.
        order: 1 for nearest first, -1 for farthest first, 0 as they come.
        count: at most so many; 0 for all.
        first_found: any so many will do, not the nearest.
        with_distance, with_hash, with_place: what is answered beside the name.
        target, store_distance: where to store, and whether distances instead of places.
        error: what is wrong with the arguments. Redis looks at the key first, and at the member in the
            middle as soon as it reads of it; so the shard tells of it, if it finds nothing wrong before.
        distance_error: what is wrong with the radius around a member; told of only if there is a key.
        proto: the protocol of the client, as coordinates are written in another way in each.
    """

    key: bytes
    member: bytes | None = None
    shape: Shape = _NOWHERE
    unit: float = 1.0
    order: int = 0
    count: int = 0
    first_found: bool = False
    with_distance: bool = False
    with_hash: bool = False
    with_place: bool = False
    target: bytes | None = None
    store_distance: bool = False
    error: ReplyError | None = None
    distance_error: ReplyError | None = None
    proto: int = 2


# Arguments.


def _unit(arg: bytes) -> float:
    name = arg.lower()
    if name not in UNITS:
        raise ReplyError("GEO_UNIT")
    return UNITS[name]


def _number(arg: bytes, name: str) -> float:
    number = parse_float(arg)
    if number is None:
        raise ReplyError("GEO_NUMBER", name)
    return number


def _place(longitude: bytes, latitude: bytes) -> tuple[float, float]:
    one, other = parse_float(longitude), parse_float(latitude)
    if one is None or other is None:
        raise ReplyError("NOT_FLOAT")
    if not is_place(one, other):
        raise ReplyError("GEO_PLACE", f"{one:.6f},{other:.6f}")
    return one, other


def _radius(radius: bytes, unit: bytes) -> tuple[float, float]:
    """(radius in metres, metres of the unit)."""
    number = _number(radius, "radius")
    if number < 0:
        raise ReplyError("GEO_RADIUS")
    metres = _unit(unit)
    return number * metres, metres


def parse_search(args: Args, proto: int, *, stores: bool) -> Search:
    """GEOSEARCH key ..., GEOSEARCHSTORE target source ... O(arguments). What is wrong is in ``error``."""
    search = Search(args[2] if stores else args[1], proto=proto)
    search.target = args[1] if stores else None
    try:
        _parse_shape(search, args, 3 if stores else 2)
    except ReplyError as error:
        search.error = error.bare()
    return search


def _parse_shape(search: Search, args: Args, at: int) -> None:
    """What GEOSEARCH looks for, from the argument ``at`` on.

    Raises:
        ReplyError: it makes no sense.
    """
    middles = shapes = 0
    place = (0.0, 0.0)
    while at < len(args):
        word = args[at].upper()
        left = len(args) - at - 1
        if word == b"FROMMEMBER" and left >= 1 and not middles:
            search.member = args[at + 1]
            middles += 1
            at += 1
        elif word == b"FROMLONLAT" and left >= 2 and not middles:
            place = _place(args[at + 1], args[at + 2])
            middles += 1
            at += 2
        elif word == b"BYRADIUS" and left >= 2 and not shapes:
            radius, search.unit = _radius(args[at + 1], args[at + 2])
            search.shape = Shape(0.0, 0.0, radius)
            shapes += 1
            at += 2
        elif word == b"BYBOX" and left >= 3 and not shapes:
            search.shape, search.unit = _box(*args[at + 1 : at + 4])
            shapes += 1
            at += 3
        elif word == b"STOREDIST" and search.target is not None:
            search.store_distance = True
        else:
            at = _option(search, args, at)
        at += 1
    name = args[0].decode("latin-1")
    if not middles:
        raise ReplyError("GEO_ONE_MIDDLE", name)
    if not shapes:
        raise ReplyError("GEO_ONE_SHAPE", name)
    search.shape = search.shape._replace(longitude=place[0], latitude=place[1])
    _check(search, "GEOSEARCHSTORE")


def _box(width: bytes, height: bytes, unit: bytes) -> tuple[Shape, float]:
    across, along = _number(width, "width"), _number(height, "height")
    if across < 0 or along < 0:
        raise ReplyError("GEO_BOX")
    metres = _unit(unit)
    return Shape(0.0, 0.0, 0.0, across * metres, along * metres, False), metres


def _option(search: Search, args: Args, at: int) -> int:
    """An option that all searches have. Returns the position of its last word."""
    word = args[at].upper()
    left = len(args) - at - 1
    if word == b"WITHDIST":
        search.with_distance = True
    elif word == b"WITHHASH":
        search.with_hash = True
    elif word == b"WITHCOORD":
        search.with_place = True
    elif word == b"ANY":
        search.first_found = True
    elif word == b"ASC":
        search.order = 1
    elif word == b"DESC":
        search.order = -1
    elif word == b"COUNT" and left >= 1:
        count = parse_int(args[at + 1])
        if count is None:
            raise ReplyError("NOT_INTEGER")
        if count <= 0:
            raise ReplyError("GEO_COUNT")
        search.count = count
        return at + 1
    else:
        raise ReplyError("SYNTAX")
    return at


def _check(search: Search, name: str) -> None:
    """What does not go together; and COUNT wants the nearest ones, so it sorts."""
    if search.target is not None and (search.with_distance or search.with_hash or search.with_place):
        raise ReplyError("GEO_STORE_WITH", name)
    if search.first_found and not search.count:
        raise ReplyError("GEO_ANY")
    if search.count and not search.order and not search.first_found:
        search.order = 1


def parse_radius(args: Args, proto: int, *, by_member: bool, stores: bool) -> Search:
    """GEORADIUS key longitude latitude radius unit ..., GEORADIUSBYMEMBER key member radius unit ...

    What is wrong is in ``error`` and ``distance_error``.
    """
    search = Search(args[1], proto=proto)
    place = (0.0, 0.0)
    try:
        if by_member:
            search.member = args[2]
            at = 3
        else:
            place = _place(args[2], args[3])
            at = 4
        try:
            radius, search.unit = _radius(args[at], args[at + 1])
        except ReplyError as error:
            if not by_member:
                raise
            search.distance_error = error.bare()
            radius = 0.0
        search.shape = Shape(*place, radius)
        _parse_options(search, args, at + 2, stores)
    except ReplyError as error:
        search.error = error.bare()
    return search


def _parse_options(search: Search, args: Args, at: int, stores: bool) -> None:
    """The options of GEORADIUS and GEORADIUSBYMEMBER.

    Raises:
        ReplyError: they make no sense.
    """
    while at < len(args):
        word = args[at].upper()
        if word in (b"STORE", b"STOREDIST") and at + 1 < len(args) and stores:
            search.target = args[at + 1]
            search.store_distance = word == b"STOREDIST"
            at += 1
        else:
            at = _option(search, args, at)
        at += 1
    _check(search, "STORE option in GEORADIUS")


# One key.


def cmd_geoadd(session: Session, args: Args) -> tuple[bytes, int, list[tuple[bytes, float]]]:
    """GEOADD as the ZADD that it is: (key, options, members with their scores)."""
    at, options = 2, 0
    while at < len(args) and (word := args[at].upper()) in _ADD_OPTIONS:
        options |= _ADD_OPTIONS[word]
        at += 1
    if (len(args) - at) % 3 or at == len(args) or (options & NX and options & XX):
        raise ReplyError("SYNTAX")
    pairs: list[tuple[bytes, float]] = []
    while at < len(args):
        longitude, latitude = _place(args[at], args[at + 1])
        pairs.append((args[at + 2], float(encode(longitude, latitude))))
        at += 3
    return args[1], options, pairs


_ADD_OPTIONS = {b"NX": NX, b"XX": XX, b"CH": CH}


def op_geoadd(db: Keyspace, payload: tuple[bytes, int, list[tuple[bytes, float]]], h: int) -> Any:
    """GEOADD: how many members are new (or, with CH, changed). O(log n) for each."""
    key, options, pairs = payload
    # Scores that are kept are made by the thread that keeps them.
    if options or len(pairs) > 1:
        return add_pairs(db, key, h, [(member, score * 1.0) for member, score in pairs], options)
    member, score = pairs[0]
    return add_one(db, key, h, member, score * 1.0)


def op_geohash(db: Keyspace, args: Args, h: int) -> list[str | None]:
    """GEOHASH key member...: the standard geohash of each. O(members)."""
    return [None if score is None else geohash.text(score) for score in _scores(db, args, h)]


def cmd_geopos(session: Session, args: Args) -> tuple[Args, int]:
    """GEOPOS key member...: the protocol goes with it."""
    return args, session.proto


def op_geopos(db: Keyspace, payload: tuple[Args, int], h: int) -> list[Any]:
    """GEOPOS: where each member is. O(members)."""
    args, proto = payload
    return [
        NULL_ARRAY if score is None else _coordinates(decode(score), proto) for score in _scores(db, args, h)
    ]


def _scores(db: Keyspace, args: Args, h: int) -> list[float | None]:
    value = read_sorted_set(db, args[1], h)
    if value is None:
        return [None] * (len(args) - 2)
    scores = value.scores
    return [scores[member] if member in scores else None for member in args[2:]]


def cmd_geodist(session: Session, args: Args) -> tuple[Args, float]:
    """GEODIST key member1 member2 [unit]."""
    if len(args) > 5:
        raise ReplyError("SYNTAX")
    return args[:4], _unit(args[4]) if len(args) == 5 else 1.0


def op_geodist(db: Keyspace, payload: tuple[Args, float], h: int) -> bytes | None:
    """How far two members are from each other; None if one is not there. O(1)."""
    args, unit = payload
    one, other = _scores(db, args, h)
    if one is None or other is None:
        return None
    longitude, latitude = decode(one)
    to_longitude, to_latitude = decode(other)
    return b"%.4f" % (distance(longitude, latitude, to_longitude, to_latitude) / unit)


# Searches.


def op_search(db: Keyspace, search: Search, h: int) -> list[Found]:
    """The members inside the shape, as many as are wanted, in the order that is wanted.

    O(n log n) where n is the number of members in the boxes around the shape.

    Raises:
        ReplyError: WRONGTYPE, the member in the middle is not there, or what the search says is wrong.
    """
    value = read_sorted_set(db, search.key, h)
    if value is not None and search.member is not None and search.member not in value.scores:
        raise ReplyError("GEO_MEMBER")
    if value is not None and search.distance_error is not None:
        raise search.distance_error
    if search.error is not None:
        raise search.error
    if value is None:
        return []
    shape = search.shape
    if search.member is not None:
        longitude, latitude = decode(value.scores[search.member])
        shape = shape._replace(longitude=longitude, latitude=latitude)
    found = _inside(value, shape, search.count if search.first_found else 0)
    if search.order:
        found.sort(key=_AWAY, reverse=search.order < 0)
    return found[: search.count] if search.count else found


def _inside(value: SortedSetValue, shape: Shape, limit: int) -> list[Found]:
    found: list[Found] = []
    for low, high in geohash.ranges_of(shape):
        start, stop = value.by_score((float(low), float(high), False, True))
        members = value.order.span(start, stop)
        scores = value.order.scores_of(start, stop)
        found += geohash.inside(shape, members, scores, limit and limit - len(found))
        if limit and len(found) == limit:
            break
    return found


def op_answer(db: Keyspace, search: Search, h: int) -> list[Any]:
    """What a search that stores nothing answers. See `op_search`."""
    return _reply(op_search(db, search, h), search)


def run_search(context: Context, search: Search, event: bytes) -> Steps:
    """Search, and store if that is asked for: the reply."""
    h = context.proactor.shard.hash_key(search.key)
    if search.target is None:
        return (yield from context.at(search.key, op_answer, search, last=True))
    found = (yield from context.hop({context.shard_of(h): (_search_at, (context.db, h, search))}))[
        context.shard_of(h)
    ]
    scores = _to_store(found, search)
    to = context.proactor.shard.hash_key(search.target)
    target = (context.db, search.target, to)
    yield from context.hop({context.shard_of(to): (settle_copy, (target, event, scores))}, last=True)
    return len(scores)


def _search_at_once(here: Here, db: Keyspace, search: Search, event: bytes) -> Any:
    """`run_search` of keys that are here."""
    h = here.find(search.key)
    if h < 0:
        return ELSEWHERE
    if search.target is None:
        return op_answer(db, search, h)
    to = here.find(search.target)
    if to < 0:
        return ELSEWHERE
    scores = _to_store(op_search(db, search, h), search)
    if len(scores) > here.shard.slice:
        return ELSEWHERE
    settle(here.shard, (db.index, search.target, to), event, scores)
    return len(scores)


def _to_store(found: list[Found], search: Search) -> dict[bytes, float]:
    """What is to be stored: the members with their distances or their places."""
    if search.store_distance:
        return {member: away / search.unit for member, away, *_ in found}
    return {member: score for member, _, score, *_ in found}


def _search_at(shard: Any, argument: tuple[int, int, Search]) -> list[Found]:
    db, h, search = argument
    return op_search(shard.dbs[db], search, h)


def _reply(found: list[Found], search: Search) -> list[Any]:
    if not (search.with_distance or search.with_hash or search.with_place):
        return [one[0] for one in found]
    rows = []
    for member, away, score, longitude, latitude in found:
        row: list[Any] = [member]
        if search.with_distance:
            row.append(b"%.4f" % (away / search.unit))
        if search.with_hash:
            row.append(int(score))
        if search.with_place:
            row.append(_coordinates((longitude, latitude), search.proto))
        rows.append(row)
    return rows


def _coordinates(place: tuple[float, float], proto: int) -> list[Raw]:
    """Coordinates with the 17 decimals that Redis prints, which the usual form of a double has not."""
    return [Raw(_coordinate(angle, proto)) for angle in place]


def _coordinate(angle: float, proto: int) -> bytes:
    text = b"%.17f" % angle
    text = text.rstrip(b"0").rstrip(b".")
    if proto == 3:
        return b",%b\r\n" % text
    return b"$%d\r\n%b\r\n" % (len(text), text)


def cmd_geosearch(session: Session, args: Args) -> Search:
    """GEOSEARCH."""
    return parse_search(args, session.proto, stores=False)


def cmd_geosearchstore(context: Context, args: Args) -> Steps:
    """GEOSEARCHSTORE."""
    search = parse_search(args, context.session.proto, stores=True)
    return (yield from run_search(context, search, b"geosearchstore"))


def geosearchstore_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """GEOSEARCHSTORE of keys that are here."""
    return _search_at_once(here, db, parse_search(args, session.proto, stores=True), b"geosearchstore")


def cmd_georadius(context: Context, args: Args) -> Steps:
    """GEORADIUS."""
    return (yield from _radius_search(context, args, by_member=False))


def cmd_georadius_ro(session: Session, args: Args) -> Search:
    """GEORADIUS_RO."""
    return parse_radius(args, session.proto, by_member=False, stores=False)


def cmd_georadiusbymember(context: Context, args: Args) -> Steps:
    """GEORADIUSBYMEMBER."""
    return (yield from _radius_search(context, args, by_member=True))


def cmd_georadiusbymember_ro(session: Session, args: Args) -> Search:
    """GEORADIUSBYMEMBER_RO."""
    return parse_radius(args, session.proto, by_member=True, stores=False)


def georadius_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """GEORADIUS of keys that are here."""
    search = parse_radius(args, session.proto, by_member=False, stores=True)
    return _search_at_once(here, db, search, b"georadiusstore")


def georadiusbymember_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """GEORADIUSBYMEMBER of keys that are here."""
    search = parse_radius(args, session.proto, by_member=True, stores=True)
    return _search_at_once(here, db, search, b"georadiusstore")


def _radius_search(context: Context, args: Args, *, by_member: bool) -> Steps:
    search = parse_radius(args, context.session.proto, by_member=by_member, stores=True)
    return (yield from run_search(context, search, b"georadiusstore"))


def find_georadius_keys(args: Sequence[bytes]) -> list[int]:
    """The source, and the target of the last STORE or STOREDIST. O(arguments)."""
    return _radius_keys(args, 6)


def find_georadiusbymember_keys(args: Sequence[bytes]) -> list[int]:
    """The source, and the target of the last STORE or STOREDIST. O(arguments)."""
    return _radius_keys(args, 5)


def _radius_keys(args: Sequence[bytes], at: int) -> list[int]:
    found = [1]
    while at < len(args) - 1:
        if args[at].upper() in (b"STORE", b"STOREDIST"):
            at += 1
            found[1:] = [at]
        at += 1
    return found


_READ = "@read @geo @slow"
_WRITE = "@write @geo @slow"
_OPTIONS = "[WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [<ASC|DESC>]"
_STORE = "[<STORE key|STOREDIST key>]"
_SHAPE = (
    "<FROMMEMBER member|FROMLONLAT longitude latitude> "
    "<BYRADIUS radius <M|KM|FT|MI>|BYBOX width height <M|KM|FT|MI>> [<ASC|DESC>] [COUNT count [ANY]]"
)
_SEARCH_COST = "O(N+log(M)) where N is the number of members around the shape and M that of those inside it"


def _search(name: str, arity: int, cmd: Any, **rest: Any) -> Row:
    """The row of a search that only answers."""
    return single(
        name,
        arity,
        "readonly",
        cmd=cmd,
        op=op_answer,
        key_flags="RO ACCESS",
        acl=_READ,
        group="geo",
        complexity=_SEARCH_COST,
        **rest,
    )


def _storing(name: str, arity: int, flags: str, run: Any, at_once: Any, **rest: Any) -> Row:
    """The row of a search that may store what it finds."""
    return multi(
        name,
        arity,
        flags,
        run=run,
        at_once=at_once,
        acl=_WRITE,
        group="geo",
        complexity=_SEARCH_COST,
        **{"keys": (1, 1, 1), **rest},
    )


TABLE: tuple[Row, ...] = (
    single(
        "GEOADD",
        -5,
        "write denyoom",
        cmd=cmd_geoadd,
        op=op_geoadd,
        key_flags="RW UPDATE",
        acl=_WRITE,
        since="3.2.0",
        group="geo",
        syntax="key [<NX|XX>] [CH] longitude latitude member [longitude latitude member ...]",
        summary="Adds members at places.",
        complexity="O(log(N)) for each member, where N is the number of members",
    ),
    single(
        "GEODIST",
        -4,
        "readonly",
        cmd=cmd_geodist,
        op=op_geodist,
        encode="bulk_or_null",
        key_flags="RO ACCESS",
        acl=_READ,
        since="3.2.0",
        group="geo",
        syntax="key member1 member2 [<M|KM|FT|MI>]",
        summary="Tells how far two members are from each other.",
    ),
    single(
        "GEOHASH",
        -2,
        "readonly",
        op=op_geohash,
        key_flags="RO ACCESS",
        acl=_READ,
        since="3.2.0",
        group="geo",
        syntax="key [member [member ...]]",
        summary="Gives the standard geohashes of members.",
        complexity="O(1) for each member",
    ),
    single(
        "GEOPOS",
        -2,
        "readonly",
        cmd=cmd_geopos,
        op=op_geopos,
        key_flags="RO ACCESS",
        acl=_READ,
        since="3.2.0",
        group="geo",
        syntax="key [member [member ...]]",
        summary="Tells where members are.",
        complexity="O(1) for each member",
    ),
    _search(
        "GEOSEARCH",
        -7,
        cmd_geosearch,
        since="6.2.0",
        syntax=f"key {_SHAPE} [WITHCOORD] [WITHDIST] [WITHHASH]",
        summary="Finds the members inside a circle or a box.",
    ),
    _storing(
        "GEOSEARCHSTORE",
        -8,
        "write denyoom",
        cmd_geosearchstore,
        geosearchstore_at_once,
        keys=(1, 2, 1),
        key_flags="OW UPDATE; RO ACCESS",
        since="6.2.0",
        syntax=f"destination source {_SHAPE} [STOREDIST]",
        summary="Stores the members inside a circle or a box.",
    ),
    _storing(
        "GEORADIUS",
        -6,
        "write denyoom movablekeys",
        cmd_georadius,
        georadius_at_once,
        find_keys=find_georadius_keys,
        key_flags="RO ACCESS; OW UPDATE",
        since="3.2.0",
        syntax=f"key longitude latitude radius <M|KM|FT|MI> {_OPTIONS} {_STORE}",
        summary="Finds the members around a place, and may store them.",
    ),
    _search(
        "GEORADIUS_RO",
        -6,
        cmd_georadius_ro,
        since="3.2.10",
        syntax=f"key longitude latitude radius <M|KM|FT|MI> {_OPTIONS}",
        summary="Finds the members around a place.",
    ),
    _storing(
        "GEORADIUSBYMEMBER",
        -5,
        "write denyoom movablekeys",
        cmd_georadiusbymember,
        georadiusbymember_at_once,
        find_keys=find_georadiusbymember_keys,
        key_flags="RO ACCESS; OW UPDATE",
        since="3.2.0",
        syntax=f"key member radius <M|KM|FT|MI> {_OPTIONS} {_STORE}",
        summary="Finds the members around another one, and may store them.",
    ),
    _search(
        "GEORADIUSBYMEMBER_RO",
        -5,
        cmd_georadiusbymember_ro,
        since="3.2.10",
        syntax=f"key member radius <M|KM|FT|MI> {_OPTIONS}",
        summary="Finds the members around another one.",
    ),
)
