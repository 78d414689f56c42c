"""Vector sets: VADD, VSIM and their kin, as of Redis 8.

A search is exact (`nogil_df.shard.vectors` says why), so what steers Redis's graph is checked and has no
effect: EF, FILTER-EF, CAS, NOTHREAD, TRUTH; M is kept and shown.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_float, parse_int
from nogil_df.commands.spec import Row, single
from nogil_df.commands.vector_filter import FilterError, compile_filter
from nogil_df.shard.memory import own
from nogil_df.shard.vectors import BITS, BYTES, FLOATS, USUAL_LINKS, Projection, VectorSetValue
from nogil_df.wire.values import NULL_ARRAY, Pairs, Simple

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

MOST_DIMENSIONS: Final = 32_768
LEAST_LINKS: Final = 4
MOST_LINKS: Final = 4096
MOST_EXPLORED: Final = 1_000_000
USUAL_COUNT: Final = 10
FURTHEST: Final = 2.0

_QUANTISATION: Final = {b"NOQUANT": FLOATS, b"Q8": BYTES, b"BIN": BITS}
_NAMES: Final = {FLOATS: b"f32", BYTES: b"int8", BITS: b"bin"}


def read(db: Keyspace, key: bytes, h: int) -> VectorSetValue | None:
    """The vector set at a key as a command that reads for a client sees it. O(1).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    value = db.find(key, h)
    if value is None or value.__class__ is VectorSetValue:
        return value
    raise ReplyError("WRONGTYPE")


def held(db: Keyspace, key: bytes, h: int) -> VectorSetValue | None:
    """The vector set at a key that is about to be changed in place. O(1).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    value = db.peek(key, h)
    if value is None:
        return None
    if value.__class__ is not VectorSetValue:
        raise ReplyError("WRONGTYPE")
    db.table.before_change(key, h)
    return value


# Parsing.


def parse_vector(args: Args, at: int) -> tuple[array[float], int]:
    """``FP32 blob`` or ``VALUES number component...``: the vector, and where the next argument is.

    Raises:
        ReplyError.
    """
    bad = ReplyError("ERR", "invalid vector specification")
    word = args[at].upper()
    if word == b"FP32" and at + 1 < len(args):
        blob = args[at + 1]
        if not blob or len(blob) % 4 or len(blob) > 4 * MOST_DIMENSIONS:
            raise bad
        vector = array("f", blob)
        at += 2
    elif word == b"VALUES" and at + 1 < len(args):
        count = parse_int(args[at + 1])
        if count is None or not 0 < count <= MOST_DIMENSIONS or at + 2 + count > len(args):
            raise bad
        numbers = [parse_float(text) for text in args[at + 2 : at + 2 + count]]
        if None in numbers:
            raise bad
        vector = array("f", numbers)  # type: ignore[arg-type]
        at += 2 + count
    else:
        raise bad
    if not all(map(isfinite, vector)):
        raise bad
    return vector, at


@dataclass(slots=True)
class Addition:
    """What VADD adds: ``reduce`` is the dimensions to project to, 0 for none."""

    key: bytes
    vector: array[float]
    reduce: int
    name: bytes
    quantisation: str = BYTES
    links: int = USUAL_LINKS
    attribute: bytes = b""


def cmd_vadd(session: Session, args: Args) -> Addition:
    """VADD key [REDUCE dim] <FP32 blob | VALUES n v...> element [options]."""
    if len(args) < 5:
        raise ReplyError("WRONG_ARITY", "vadd")
    at, reduce = 2, 0
    if args[2].upper() == b"REDUCE":
        dimensions = parse_int(args[3])
        if dimensions is None or not 0 < dimensions <= MOST_DIMENSIONS:
            raise ReplyError("ERR", "invalid vector specification")
        at, reduce = 4, dimensions
    vector, at = parse_vector(args, at)
    if reduce > len(vector):
        raise ReplyError("ERR", "invalid vector specification")
    if at >= len(args):
        raise ReplyError("WRONG_ARITY", "vadd")
    wanted = Addition(args[1], vector, reduce, args[at])
    at += 1
    while at < len(args):
        word = args[at].upper()
        more = at + 1 < len(args)
        if word == b"CAS":
            pass
        elif word in _QUANTISATION:
            wanted.quantisation = _QUANTISATION[word]
        elif word == b"EF" and more:
            _bounded(args[at + 1], 1, MOST_EXPLORED, "EF")
            at += 1
        elif word == b"M" and more:
            wanted.links = _bounded(args[at + 1], LEAST_LINKS, MOST_LINKS, "M")
            at += 1
        elif word == b"SETATTR" and more:
            wanted.attribute = args[at + 1]
            at += 1
        else:
            raise ReplyError("ERR", "invalid option after element")
        at += 1
    return wanted


def _bounded(text: bytes, least: int, most: int, name: str) -> int:
    number = parse_int(text)
    if number is None or not least <= number <= most:
        raise ReplyError("ERR", f"invalid {name}")
    return number


def op_vadd(db: Keyspace, wanted: Addition, h: int) -> bool:
    """Add an element, or give it another vector; True if it is new. O(dimensions).

    Raises:
        ReplyError: WRONGTYPE, or the set was made otherwise.
    """
    key = own(wanted.key)
    value = held(db, key, h)
    vector = wanted.vector
    if value is None:
        projection = Projection(len(vector), wanted.reduce) if wanted.reduce else None
        dimensions = wanted.reduce or len(vector)
        db.shard.dirty += 1
        value = VectorSetValue(dimensions, wanted.quantisation, wanted.links, projection, db.shard.dirty)
        value.put(own(wanted.name), projection(vector) if projection is not None else vector)
        value.set_attribute(value.names[0], own(wanted.attribute))
        db.put(key, h, value)
        db.changed(key, events.MODULE, b"vadd")
        return True
    _check(value, wanted)
    if value.projection is not None:
        vector = value.projection(vector)
    before = value.memory
    name = own(wanted.name)
    added = value.put(name, vector)
    if wanted.attribute:
        value.set_attribute(value.names[value.rows[name]], own(wanted.attribute))
    db.resized(before, value.memory)
    db.changed(key, events.MODULE, b"vadd")
    return added


def _check(value: VectorSetValue, wanted: Addition) -> None:
    """Whether an element goes into a set, in the order in which Redis looks."""
    size = len(wanted.vector)
    if value.quantisation != wanted.quantisation:
        raise ReplyError("ERR", "asked quantization mismatch with existing vector set")
    if value.links != wanted.links:
        raise ReplyError("ERR", "asked M value mismatch with existing vector set")
    fits = value.dimensions == (size if value.projection is None else wanted.reduce or value.dimensions)
    if not fits:
        raise _mismatch(size, value)
    if wanted.reduce and value.projection is None:
        raise ReplyError("ERR", "cannot add projection to existing set without projection")
    _check_input(value, size)


def _mismatch(size: int, value: VectorSetValue) -> ReplyError:
    return ReplyError("ERR", f"Vector dimension mismatch - got {size} but set has {value.dimensions}")


def _check_input(value: VectorSetValue, size: int) -> None:
    projection = value.projection
    if projection is not None and projection.inputs != size:
        raise ReplyError(
            "ERR",
            f"Input dimension mismatch for projection - got {size} "
            f"but projection expects {projection.inputs}",
        )


# VSIM.


@dataclass(slots=True)
class Search:
    """What VSIM looks for; ``vector`` or ``element`` is None."""

    vector: array[float] | None = None
    element: bytes | None = None
    count: int = USUAL_COUNT
    epsilon: float = FURTHEST
    scores: bool = False
    attributes: bool = False
    wanted: Callable[[bytes], bool] | None = None


def cmd_vsim(session: Session, args: Args) -> tuple[bytes, Search | ReplyError, int]:
    """VSIM key <ELE element | FP32 blob | VALUES n v...> [options]; wrong ones matter if there is a key."""
    if len(args) < 4:
        raise ReplyError("WRONG_ARITY", "vsim")
    try:
        return args[1], _parse_search(args), session.proto
    except ReplyError as error:
        return args[1], error.bare(), session.proto


def _parse_search(args: Args) -> Search:
    search = Search()
    if args[2].upper() == b"ELE":
        search.element, at = args[3], 4
    else:
        search.vector, at = parse_vector(args, 2)
    while at < len(args):
        word = args[at].upper()
        more = at + 1 < len(args)
        if word == b"WITHSCORES":
            search.scores = True
        elif word == b"WITHATTRIBS":
            search.attributes = True
        elif word in (b"TRUTH", b"NOTHREAD"):
            pass
        elif not more:
            raise ReplyError("ERR", "syntax error in VSIM command")
        else:
            _option(search, word, args[at + 1])
            at += 1
        at += 1
    return search


def _option(search: Search, word: bytes, text: bytes) -> None:
    """An option with a value."""
    if word == b"COUNT":
        search.count = _bounded(text, 1, 1 << 62, "COUNT")
    elif word == b"EPSILON":
        epsilon = parse_float(text)
        if epsilon is None or not epsilon > 0:
            raise ReplyError("ERR", "invalid EPSILON")
        search.epsilon = epsilon
    elif word == b"EF":
        _bounded(text, 1, MOST_EXPLORED, "EF")
    elif word == b"FILTER-EF":
        _bounded(text, 1, 1 << 62, "FILTER-EF")
    elif word == b"FILTER":
        expression = text.decode("utf-8", "surrogateescape")
        try:
            search.wanted = compile_filter(expression)
        except FilterError as error:
            rest = expression[error.args[0] :] or expression
            raise ReplyError("ERR", f"syntax error in FILTER expression near: {rest}") from None
    else:
        raise ReplyError("ERR", "syntax error in VSIM command")


def op_vsim(db: Keyspace, payload: tuple[bytes, Search | ReplyError, int], h: int) -> Any:
    """The most similar elements, most similar first. O(elements * dimensions).

    Raises:
        ReplyError: WRONGTYPE, what is wrong with the arguments, or with them for this set.
    """
    key, search, protocol = payload
    value = read(db, key, h)
    if value is None:
        return []
    if isinstance(search, ReplyError):
        raise search
    if search.element is not None:
        if search.element not in value.rows:
            raise ReplyError("ERR", "element not found in set")
        vector = value.vector(value.rows[search.element])
    else:
        assert search.vector is not None
        given = search.vector
        if value.projection is not None and len(given) != value.dimensions:
            _check_input(value, len(given))
            given = value.projection(given)
        if len(given) != value.dimensions:
            raise _mismatch(len(given), value)
        vector = given.tolist()
    found = value.nearest(vector, search.count, search.wanted)
    found = [(name, score) for name, score in found if 1 - score <= search.epsilon]
    if not search.scores and not search.attributes:
        return [name for name, _ in found]
    rows: list[tuple[bytes, list[Any]]] = []
    for name, score in found:
        shown: list[Any] = [score] if search.scores else []
        if search.attributes:
            shown.append(value.attributes.get(name))
        rows.append((name, shown))
    if protocol == 2:
        return [part for name, shown in rows for part in (name, *shown)]
    return Pairs([(name, shown if len(shown) > 1 else shown[0]) for name, shown in rows])


# Elements.


def op_vrem(db: Keyspace, args: Args, h: int) -> bool:
    """Remove an element; False if it is not there. O(dimensions)."""
    key = args[1]
    value = held(db, key, h)
    if value is None or args[2] not in value.rows:
        return False
    before = value.memory
    if len(value) == 1:
        db.erase(key, h)
        db.changed(key, events.MODULE, b"vrem")
        db.changed(key, events.GENERIC, b"del")
        return True
    value.remove(args[2])
    db.resized(before, value.memory)
    db.changed(key, events.MODULE, b"vrem")
    return True


def cmd_vemb(session: Session, args: Args) -> tuple[bytes, bytes, bool]:
    """VEMB key element [RAW]."""
    for word in args[3:]:
        if word.upper() != b"RAW":
            raise ReplyError("ERR", "invalid option")
    return args[1], args[2], len(args) > 3


def op_vemb(db: Keyspace, payload: tuple[bytes, bytes, bool], h: int) -> Any:
    """The vector of an element, or how it is stored; null if there is none. O(dimensions)."""
    key, name, raw = payload
    value = read(db, key, h)
    if value is None or name not in value.rows:
        return None
    at = value.rows[name]
    if not raw:
        return value.vector(at)
    shown = [Simple(_NAMES[value.quantisation]), value.row(at), value.lengths[at]]
    return [*shown, value.ranges[at]] if value.quantisation == BYTES else shown


def op_vsetattr(db: Keyspace, args: Args, h: int) -> bool:
    """Give an element an attribute; an empty one takes it away. False if there is no such element. O(1)."""
    value = held(db, args[1], h)
    if value is None or args[2] not in value.rows:
        return False
    before = value.memory
    value.set_attribute(value.names[value.rows[args[2]]], args[3])
    db.resized(before, value.memory)
    db.changed(args[1], events.MODULE, b"vsetattr")
    return True


def op_vgetattr(db: Keyspace, args: Args, h: int) -> bytes | None:
    """The attribute of an element, null if it has none. O(1)."""
    value = read(db, args[1], h)
    return None if value is None else value.attributes.get(args[2])


def op_vismember(db: Keyspace, args: Args, h: int) -> bool:
    """Whether an element is there. O(1)."""
    value = read(db, args[1], h)
    return value is not None and args[2] in value.rows


def cmd_vlinks(session: Session, args: Args) -> tuple[bytes, bytes, bool, int]:
    """VLINKS key element [WITHSCORES]."""
    if len(args) == 4 and args[3].upper() != b"WITHSCORES":
        raise ReplyError("WRONG_ARITY", "vlinks")
    return args[1], args[2], len(args) == 4, session.proto


def op_vlinks(db: Keyspace, payload: tuple[bytes, bytes, bool, int], h: int) -> Any:
    """One layer: the nearest elements, as many as Redis's graph links at most. O(elements * dimensions)."""
    key, name, with_scores, protocol = payload
    value = read(db, key, h)
    if value is None or name not in value.rows:
        return None
    found = value.nearest(value.vector(value.rows[name]), 2 * value.links + 1, None)
    others = [(other, score) for other, score in found if other != name][: 2 * value.links]
    if not with_scores:
        return [[other for other, _ in others]]
    return [Pairs(others)] if protocol == 3 else [[part for pair in others for part in pair]]


# The set.


def op_vcard(db: Keyspace, args: Args, h: int) -> int:
    """The number of elements, 0 without a set. O(1)."""
    value = read(db, args[1], h)
    return 0 if value is None else len(value)


def op_vdim(db: Keyspace, args: Args, h: int) -> int:
    """The number of components of a vector. O(1).

    Raises:
        ReplyError: no such key.
    """
    value = read(db, args[1], h)
    if value is None:
        raise ReplyError("ERR", "key does not exist")
    return value.dimensions


def op_vinfo(db: Keyspace, args: Args, h: int) -> Any:
    """What a vector set is like. O(1)."""
    value = read(db, args[1], h)
    if value is None:
        return NULL_ARRAY
    figures = {
        b"quant-type": Simple(_NAMES[value.quantisation]),
        b"hnsw-m": value.links,
        b"vector-dim": value.dimensions,
        b"projection-input-dim": value.projection.inputs if value.projection is not None else 0,
        b"size": len(value),
        b"max-level": 0,
        b"attributes-count": len(value.attributes),
        b"vset-uid": value.number,
        b"hnsw-max-node-uid": value.added,
    }
    return Pairs([(Simple(name), figure) for name, figure in figures.items()])


def cmd_vrandmember(session: Session, args: Args) -> tuple[bytes, int | None]:
    """VRANDMEMBER key [count]."""
    if len(args) == 2:
        return args[1], None
    count = parse_int(args[2])
    if count is None:
        raise ReplyError("ERR", "COUNT value is not an integer")
    return args[1], count


def op_vrandmember(db: Keyspace, payload: tuple[bytes, int | None], h: int) -> Any:
    """Elements at random: different ones, or any for a negative count. O(count)."""
    key, count = payload
    value = read(db, key, h) if count != 0 else None
    source = db.shard.random
    if value is None:
        return None if count is None else []
    if count is None:
        return source.choice(value.names)
    return value.sample(count, source) if count > 0 else list(value.choices(-count, source))


# VRANGE.


def cmd_vrange(session: Session, args: Args) -> tuple[bytes, tuple[bytes, bytes], tuple[bytes, bytes], int]:
    """VRANGE key start end [count]; a negative count, or none, is for all."""
    count = -1
    if len(args) == 5:
        number = parse_int(args[4])
        if number is None:
            raise ReplyError("ERR", "invalid COUNT value")
        count = number
    return args[1], _bound(args[2]), _bound(args[3]), count


def _bound(text: bytes) -> tuple[bytes, bytes]:
    """``-``, ``+``, ``[element`` or ``(element``."""
    if text in (b"-", b"+"):
        return text, b""
    if text[:1] not in (b"[", b"("):
        raise ReplyError("BAD_LEX_RANGE")
    return text[:1], text[1:]


def op_vrange(
    db: Keyspace, payload: tuple[bytes, tuple[bytes, bytes], tuple[bytes, bytes], int], h: int
) -> list[bytes]:
    """Elements between two in the order of their bytes. O(elements * log(elements))."""
    key, (low_kind, low), (high_kind, high), count = payload
    value = read(db, key, h)
    if value is None or low_kind == b"+" or high_kind == b"-":
        return []
    found = [
        name
        for name in value.names
        if (low_kind == b"-" or name > low or (low_kind == b"[" and name == low))
        and (high_kind == b"+" or name < high or (high_kind == b"[" and name == high))
    ]
    found.sort()
    return found if count < 0 else found[:count]


def _row(name: str, arity: int, flags: str, *, op: Any, syntax: str, summary: str, **rest: Any) -> Row:
    write = "write" in flags
    rest.setdefault("since", "8.0.0")
    acl = f"{'@write' if write else '@read'} {'@fast' if 'fast' in flags else '@slow'}"
    return single(
        name,
        arity,
        f"{flags} module",
        op=op,
        key_flags="RW UPDATE" if write else "RO ACCESS",
        acl=acl,
        group="module",
        syntax=syntax,
        summary=summary,
        **rest,
    )


_VECTOR = "<FP32 blob | VALUES num value [value ...]>"

TABLE: tuple[Row, ...] = (
    _row(
        "VADD",
        -5,
        "write denyoom",
        cmd=cmd_vadd,
        op=op_vadd,
        syntax=f"key [REDUCE dim] {_VECTOR} element [CAS] [NOQUANT | Q8 | BIN] [EF build-exploration-factor] "
        "[SETATTR attributes] [M numlinks]",
        summary="Adds an element with its vector to a vector set, or gives it another one.",
        complexity="O(D) where D is the number of dimensions",
    ),
    _row(
        "VSIM",
        -4,
        "readonly",
        cmd=cmd_vsim,
        op=op_vsim,
        syntax=f"key <ELE element | {_VECTOR[1:]} [WITHSCORES] [WITHATTRIBS] [COUNT num] [EPSILON delta] "
        "[EF search-exploration-factor] [FILTER expression] [FILTER-EF max-filtering-effort] [TRUTH] "
        "[NOTHREAD]",
        summary="Finds the elements that are most similar to a vector or to an element.",
        complexity="O(N*D) where N is the number of elements and D that of dimensions",
    ),
    _row(
        "VCARD",
        2,
        "readonly fast",
        op=op_vcard,
        encode="number",
        syntax="key",
        summary="Counts the elements.",
    ),
    _row(
        "VDIM", 2, "readonly fast", op=op_vdim, encode="number", syntax="key", summary="Tells the dimensions."
    ),
    _row(
        "VEMB",
        -3,
        "readonly fast",
        cmd=cmd_vemb,
        op=op_vemb,
        syntax="key element [RAW]",
        summary="Shows the vector of an element.",
        complexity="O(D) where D is the number of dimensions",
    ),
    _row(
        "VGETATTR",
        3,
        "readonly fast",
        op=op_vgetattr,
        encode="bulk_or_null",
        syntax="key element",
        summary="Shows the attribute of an element.",
    ),
    _row("VINFO", 2, "readonly fast", op=op_vinfo, syntax="key", summary="Tells what a vector set is like."),
    _row(
        "VISMEMBER",
        3,
        "readonly",
        op=op_vismember,
        syntax="key element",
        summary="Tells whether an element is there.",
        since="8.2.0",
    ),
    _row(
        "VLINKS",
        -3,
        "readonly fast",
        cmd=cmd_vlinks,
        op=op_vlinks,
        syntax="key element [WITHSCORES]",
        summary="Shows the nearest elements of an element.",
        complexity="O(N*D) where N is the number of elements and D that of dimensions",
    ),
    _row(
        "VRANDMEMBER",
        -2,
        "readonly",
        cmd=cmd_vrandmember,
        op=op_vrandmember,
        syntax="key [count]",
        summary="Picks elements at random.",
        complexity="O(N) where N is the number of elements picked",
    ),
    _row(
        "VRANGE",
        -4,
        "readonly",
        cmd=cmd_vrange,
        op=op_vrange,
        syntax="key start end [count]",
        summary="Lists elements between two in the order of their bytes.",
        since="8.4.0",
        complexity="O(N*log(N)) where N is the number of elements",
    ),
    _row(
        "VREM",
        3,
        "write",
        op=op_vrem,
        syntax="key element",
        summary="Removes an element.",
        complexity="O(D) where D is the number of dimensions",
    ),
    _row(
        "VSETATTR",
        4,
        "write fast",
        op=op_vsetattr,
        syntax="key element json",
        summary="Gives an element an attribute, which FILTER can ask for.",
    ),
)
