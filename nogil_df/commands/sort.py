"""SORT and SORT_RO: the elements of a list, set or sorted set in order, by what other keys say, over shards.

Up to four hops: the elements, the weights (BY), what is wanted of those that are left after LIMIT (GET), the
    result (STORE). Weights and results stand under keys that are made of the elements, so nobody knows them
    ahead: with such a pattern the whole command is a global transaction, shared unless it stores. Without
    one it locks the keys that it names.

The sort itself runs on the coordinator: O(N log N) in C, on keys computed once. Very many elements are read,
looked up, sorted and stored in slices (`nogil_df.shard.lengthy`), with the keys held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.commands.access import may_read_every_key
from nogil_df.commands.arguments import integer
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.context import Context, Steps
from nogil_df.commands.hashes import read_hash
from nogil_df.commands.ordering import by_number, number, numbers
from nogil_df.commands.spec import KEYS, Row, multi
from nogil_df.shard.hashes import HashValue
from nogil_df.shard.lengthy import Lengthy, Slices, sort_in_slices
from nogil_df.shard.lists import ListValue
from nogil_df.shard.memory import own
from nogil_df.shard.sets import INTSET, SetValue
from nogil_df.shard.sorted_sets import SortedSetValue
from nogil_df.vll.part import GLOBAL_EXCLUSIVE, GLOBAL_SHARED, NOT_GLOBAL

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.transaction import Transaction

Args = list[bytes]


class Request:
    """What a SORT asks for.

    Attributes:
        by: pattern of the weights' keys; None to sort by the elements themselves.
        unsorted: the elements as they come (BY with a pattern that names no key).
        offset, count: of what is wanted; count -1 for all.
        patterns: what is wanted of each element; the element itself if there are none.
        target: where to store the result; None to answer it.
    """

    __slots__ = ("alpha", "by", "count", "descending", "offset", "patterns", "target", "unsorted")

    def __init__(self) -> None:
        self.by: bytes | None = None
        self.unsorted = False
        self.offset = 0
        self.count = -1
        self.patterns: list[bytes] = []
        self.descending = False
        self.alpha = False
        self.target: bytes | None = None

    def looks_up(self) -> bool:
        """Whether keys are read that the command does not name. O(patterns)."""
        if self.by is not None and not self.unsorted:
            return True
        return self.patterns.count(b"#") < len(self.patterns)


def parse(args: Args, stores: bool) -> Request:
    """The options of a SORT. O(arguments).

    Raises:
        ReplyError: they make no sense.
    """
    request = Request()
    at = 2
    end = len(args)
    while at < end:
        word = args[at].upper()
        left = end - at - 1
        if word == b"ASC":
            request.descending = False
        elif word == b"DESC":
            request.descending = True
        elif word == b"ALPHA":
            request.alpha = True
        elif word == b"LIMIT" and left >= 2:
            request.offset, request.count = integer(args[at + 1]), integer(args[at + 2])
            at += 2
        elif word == b"STORE" and left >= 1 and stores:
            request.target = args[at + 1]
            at += 1
        elif word == b"BY" and left >= 1:
            request.by = args[at + 1]
            request.unsorted = b"*" not in args[at + 1]
            at += 1
        elif word == b"GET" and left >= 1:
            request.patterns.append(args[at + 1])
            at += 1
        else:
            raise ReplyError("SYNTAX")
        at += 1
    return request


# Locks.


def find_keys(args: Sequence[bytes]) -> list[int]:
    """The source, and the last STORE's target. O(arguments)."""
    found = [1]
    at = 2
    while at < len(args):
        word = args[at].upper()
        if word == b"LIMIT":
            at += 2
        elif word in (b"BY", b"GET"):
            at += 1
        elif word == b"STORE" and at + 1 < len(args):
            at += 1
            del found[1:]
            found.append(at)
        at += 1
    return found


def _scope(args: Args, *, stores: bool) -> int:
    request = parse(args, stores)
    if not request.looks_up():
        return NOT_GLOBAL
    return GLOBAL_SHARED if request.target is None else GLOBAL_EXCLUSIVE


def lock_sort(context: Context, tx: Transaction, args: Args) -> None:
    """Lock the keys it names, or everything if it looks others up."""
    scope = _scope(args, stores=context.command.is_write)
    if scope:
        tx.lock_everything(scope)
        return
    shared: dict[int, set[int]] = {}
    exclusive: dict[int, set[int]] = {}
    _add_keys(context, args, shared, exclusive)
    tx.lock_keys(shared, exclusive)


def lock_sort_in_exec(
    context: Context,
    command: Any,
    args: Args,
    shared: dict[int, set[int]],
    exclusive: dict[int, set[int]],
) -> int:
    """Add the keys it names; the scope it needs if it looks others up."""
    scope = _scope(args, stores=command.is_write)
    if not scope:
        _add_keys(context, args, shared, exclusive)
    return scope


def _add_keys(
    context: Context, args: Args, shared: dict[int, set[int]], exclusive: dict[int, set[int]]
) -> None:
    source, *targets = find_keys(args)
    hash_key = context.proactor.shard.hash_key
    for index, into in ((source, shared), *((target, exclusive) for target in targets)):
        h = hash_key(args[index])
        into.setdefault(context.shard_of(h), set()).add(h)


# The command.


def cmd_sort(context: Context, args: Args) -> Steps:
    """SORT: the result, or how many elements were stored."""
    request = parse(args, True)
    _check_rights(context, args, request)
    found = yield from _sorted(context, args[1], request)
    if request.target is None:
        yield from context.conclude()
        return (yield from context.answer_slowly(found))
    count = len(found)
    yield from _store(context, request.target, found)
    return count


def _store(context: Context, target: bytes, found: list[bytes | None]) -> Steps:
    """The last hop. The shard makes its own copies, which it does in slices if they are many."""
    h = context.proactor.shard.hash_key(target)
    shard = context.shard_of(h)
    return (yield from context.hop({shard: (store_at, (context.db, target, h, found))}, last=True))


def cmd_sort_ro(context: Context, args: Args) -> Steps:
    """SORT_RO: SORT without STORE."""
    request = parse(args, False)
    _check_rights(context, args, request)
    found = yield from _sorted(context, args[1], request)
    yield from context.conclude()
    return (yield from context.answer_slowly(found))


def sort_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SORT of elements that are here, as everything is that they name."""
    return _sort_at_once(here, session, db, args, True)


def sort_ro_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SORT_RO of elements that are here, as everything is that they name."""
    return _sort_at_once(here, session, db, args, False)


def _sort_at_once(here: Here, session: Session, db: Keyspace, args: Args, stores: bool) -> Any:
    request = parse(args, stores)
    target = request.target
    h = here.find(args[1])
    to = h if target is None else here.find(target)
    if h < 0 or to < 0:
        return ELSEWHERE
    if (request.patterns or request.looks_up()) and not (
        here.has_everything() and session.account.is_unrestricted
    ):
        return ELSEWHERE
    elements, has_order = op_elements(db, (args[1], _comes_reversed(request)), h)
    if request.unsorted:
        if not has_order and target is not None:
            elements = sorted(elements, reverse=request.descending)
    elif request.by is None:
        elements = _in_own_order(elements, request)
    else:
        elements = _by_weights(elements, _look_up_here(here, db, elements, [request.by]), request)
    elements = _within_limit(elements, request)
    found: Any = _look_up_here(here, db, elements, request.patterns) if request.patterns else elements
    if target is None:
        return found
    store_at(here.shard, (db.index, target, to, found))
    return len(found)


def _look_up_here(
    here: Here, db: Keyspace, elements: list[bytes], patterns: list[bytes]
) -> list[bytes | None]:
    """`_look_up` of keys that are here."""
    found: list[bytes | None] = []
    hash_key = here.hash_key
    for element in elements:
        for pattern in patterns:
            if pattern == b"#":
                found.append(element)
            else:
                place = _place(pattern, element)
                found.append(op_look_up(db, place, hash_key(place[0])))
    return found


def _check_rights(context: Context, args: Args, request: Request) -> None:
    """Keys made of elements may be looked up by who may read every key.

    Raises:
        ReplyError: the client's user may not.
    """
    user = context.session.account
    if user.is_unrestricted or not (request.patterns or (request.by is not None and not request.unsorted)):
        return
    if not may_read_every_key(user, context.command, args):
        by = request.by is not None and not request.unsorted
        raise ReplyError("SORT_BY_DENIED" if by else "SORT_GET_DENIED")


def _sorted(context: Context, key: bytes, request: Request) -> Steps:
    """The elements in order, within LIMIT, as GET wants them."""
    # A set has no order that stores or scripts could rely on: there it is always sorted.
    must_sort = request.target is not None or context.in_script
    elements, has_order = yield from context.at(key, op_elements, (key, _comes_reversed(request)))
    if len(elements) > context.proactor.shard.slice and not context.nested:
        return (yield from _sorted_in_slices(context, elements, request, has_order or not must_sort))
    if request.unsorted and not has_order and must_sort:
        elements = sorted(elements, reverse=request.descending)
    elif not request.unsorted:
        elements = yield from _in_order(context, elements, request)
    elements = _within_limit(elements, request)
    if not request.patterns:
        return elements
    return (yield from _look_up(context, elements, request.patterns))


def _comes_reversed(request: Request) -> bool:
    """Whether elements that are left in their own order are wanted from the other end."""
    return request.unsorted and request.descending


def _sorted_in_slices(context: Context, elements: list[bytes], request: Request, has_order: bool) -> Steps:
    """`_sorted` of very many elements; their shard was `Lengthy` over them, so that the keys are held."""
    size = context.proactor.shard.slice
    ranks_of: Callable[[int, int], list[Any]] | None = None
    if request.unsorted:
        if not has_order:
            ranks_of = _ranks(elements, None, request, alpha=True)
    else:
        weights: list[bytes | None] | None = None
        if request.by is not None:
            weights = yield from _look_up_in_slices(context, elements, [request.by])
        ranks_of = _ranks(elements, weights, request, alpha=request.alpha)
    if ranks_of is not None:
        steps = sort_in_slices(len(elements), ranks_of, size, descending=request.descending)
        elements = yield from context.in_slices(steps)
    elements = _within_limit(elements, request)
    if not request.patterns:
        return elements
    return (yield from _look_up_in_slices(context, elements, request.patterns))


def _ranks(
    elements: list[bytes], weights: list[bytes | None] | None, request: Request, *, alpha: bool
) -> Callable[[int, int], list[Any]]:
    """What tells the ranks of elements from one position up to another one: what they are sorted by, what
    tells apart what is equal, and the element."""

    def ranks(start: int, stop: int) -> list[Any]:
        part = elements[start:stop]
        if weights is None:
            return list(zip(part)) if alpha else list(zip(numbers(part), part, strict=True))
        weighted = _weighted(part, weights[start:stop], request)
        if not request.alpha:
            return weighted
        # Equal weights leave elements in the order in which they came, whatever the direction.
        sign = -1 if request.descending else 1
        return [
            (rank, sign * at, element)
            for at, (rank, element) in enumerate(zip(weighted, part, strict=True), start)
        ]

    return ranks


def _look_up_in_slices(context: Context, elements: list[bytes], patterns: list[bytes]) -> Steps:
    """`_look_up` of very many elements, some in each hop."""
    found: list[bytes | None] = []
    size = context.proactor.shard.slice
    for at in range(0, len(elements), size):
        found += yield from _look_up(context, elements[at : at + size], patterns)
        yield from context.pause()
    return found


def _weighted(elements: list[bytes], weights: Sequence[bytes | None], request: Request) -> list[Any]:
    """What elements with weights of their own are sorted by.

    Equal numbers are told apart by the elements. Equal texts, and those that are missing, are not: then the
    elements stay in the order in which they came.
    """
    if request.alpha:
        return [(weight is not None, weight or b"") for weight in weights]
    return list(zip(map(number, weights), elements, strict=True))


def _within_limit(elements: list[bytes], request: Request) -> list[bytes]:
    size = len(elements)
    start = min(max(request.offset, 0), size)
    return elements[start : size if request.count < 0 else start + min(request.count, size)]


def _in_order(context: Context, elements: list[bytes], request: Request) -> Steps:
    if request.by is None:
        return _in_own_order(elements, request)
    weights: Sequence[bytes | None] = yield from _look_up(context, elements, [request.by])
    return _by_weights(elements, weights, request)


def _by_weights(elements: list[bytes], weights: Sequence[bytes | None], request: Request) -> list[bytes]:
    """Elements in the order of what other keys say of them. O(n log n)."""
    ranks = _weighted(elements, weights, request)
    order = sorted(range(len(elements)), key=ranks.__getitem__, reverse=request.descending)
    return list(map(elements.__getitem__, order))


def _in_own_order(elements: list[bytes], request: Request) -> list[bytes]:
    """Elements sorted by themselves: by their bytes, or by the numbers that they are. O(n log n)."""
    if request.alpha:
        return sorted(elements, reverse=request.descending)
    found = by_number(elements, request.descending)
    if found is not None:
        return found
    ordered = sorted(elements, reverse=request.descending)
    pairs = list(zip(numbers(ordered), ordered, strict=True))
    # Stable in both directions, so equal numbers keep the order of their bytes.
    pairs.sort(key=itemgetter(0), reverse=request.descending)
    return [element for _, element in pairs]


def _look_up(context: Context, elements: list[bytes], patterns: list[bytes]) -> Steps:
    """What each pattern finds for each element, element by element; one hop to each shard.

    O(elements * patterns).
    """
    wanted: list[tuple[bytes, bytes] | None] = [
        None if pattern == b"#" else _place(pattern, element) for element in elements for pattern in patterns
    ]
    places = [place for place in wanted if place is not None]
    found: list[bytes | None] = []
    if places:
        found = yield from context.each_key([key for key, _ in places], op_look_up, places)
    answers = iter(found)
    per_element = len(patterns)
    return [
        elements[at // per_element] if place is None else next(answers) for at, place in enumerate(wanted)
    ]


def _place(pattern: bytes, element: bytes) -> tuple[bytes, bytes]:
    """(key, field) that a pattern names for an element; the field is empty for the value of a string."""
    key, name = pattern, b""
    star = pattern.find(b"*")
    arrow = pattern.find(b"->", star + 1) if star >= 0 else -1
    if 0 <= arrow < len(pattern) - 2:
        key, name = pattern[:arrow], pattern[arrow + 2 :]
    if star < 0:
        # A pattern without a star names no key: nothing is found there.
        return b"", b""
    return key[:star] + element + key[star + 1 :], name


# On the shards.


def op_elements(db: Keyspace, payload: tuple[bytes, bool], h: int) -> tuple[list[bytes], bool]:
    """All elements of a key, and whether they come in an order of their own. O(elements).

    Args:
        payload: the key, and whether that order is to be reversed.

    Raises:
        ReplyError WRONGTYPE.
    """
    key, reverse = payload
    value = db.find(key, h)
    if value is None:
        return [], True
    kind = value.__class__
    if kind in (ListValue, SetValue, SortedSetValue) and len(value) > db.shard.slice:
        raise Lengthy(_elements_in_slices(value, reverse, db.shard.slice), value)
    if kind is ListValue:
        elements = list(value.items)
        if reverse:
            elements.reverse()
        return elements, True
    if kind is SetValue:
        return value.ordered(), False
    if kind is SortedSetValue:
        return value.order.span(0, len(value))[:: -1 if reverse else 1], True
    raise ReplyError("WRONGTYPE")


def _elements_in_slices(value: Any, reverse: bool, size: int) -> Slices:
    found: list[bytes] = []
    if value.__class__ is SetValue:
        members = iter(value.ordered() if value.encoding is INTSET else value.members)
        while chunk := list(islice(members, size)):
            found += chunk
            yield
        return found, False
    read = value.span if value.__class__ is ListValue else value.order.span
    for at in range(0, len(value), size):
        found += read(at, min(at + size, len(value)))
        yield
    if reverse:
        found.reverse()
    return found, True


def op_look_up(db: Keyspace, payload: tuple[bytes, bytes], h: int) -> bytes | None:
    """The string at a key, or a field of the hash there; None if there is no such thing. O(1)."""
    key, name = payload
    if not key:
        return None
    value = db.find(key, h)
    if value is None:
        return None
    if name:
        if value.__class__ is not HashValue:
            return None
        # Once more, as a hash: its fields may have expired.
        fields = read_hash(db, key, h)
        return None if fields is None else fields.fields[name]
    if value.__class__ is bytes or isinstance(value, bytearray):
        return bytes(value)
    return None


def store_at(shard: Shard, argument: tuple[int, bytes, int, list[bytes | None]]) -> None:
    """Put the result in the place of whatever the target holds. O(elements)."""
    index, target, h, elements = argument
    if len(elements) > shard.slice:
        raise Lengthy(_store_in_slices(shard, argument))
    _settle(shard.dbs[index], target, h, _list_of(elements))


def _store_in_slices(shard: Shard, argument: tuple[int, bytes, int, list[bytes | None]]) -> Slices:
    index, target, h, elements = argument
    value = ListValue([])
    for at in range(0, len(elements), shard.slice):
        value.push([own(element or b"") for element in elements[at : at + shard.slice]], False)
        yield
    _settle(shard.dbs[index], target, h, value)


def _list_of(elements: list[bytes | None]) -> ListValue:
    value = ListValue([])
    if elements:
        value.push([own(element or b"") for element in elements], False)
    return value


def _settle(db: Keyspace, target: bytes, h: int, value: ListValue) -> None:
    count = len(value)
    if not count:
        if db.drop(target, h):
            db.changed(target, events.GENERIC, b"del")
        return
    db.put(own(target), h, value)
    db.shard.dirty += count - 1
    db.changed(target, events.LIST, b"sortstore")


_SYNTAX = "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [<ASC|DESC>] [ALPHA]"
_COST = "O(N+M*log(M)) where N is the number of elements and M the number of those returned"

TABLE: tuple[Row, ...] = (
    multi(
        "SORT",
        -2,
        "write denyoom movablekeys",
        run=cmd_sort,
        at_once=sort_at_once,
        scope=KEYS,
        keys=(1, 1, 1),
        find_keys=find_keys,
        lock=lock_sort,
        lock_in_exec=lock_sort_in_exec,
        key_flags="RO ACCESS; OW UPDATE",
        acl="@write @set @sortedset @list @slow @dangerous",
        since="1.0.0",
        group="generic",
        syntax=f"{_SYNTAX} [STORE destination]",
        summary="Sorts the elements of a list, set or sorted set, and may store them.",
        complexity=_COST,
    ),
    multi(
        "SORT_RO",
        -2,
        "readonly movablekeys",
        run=cmd_sort_ro,
        at_once=sort_ro_at_once,
        scope=KEYS,
        keys=(1, 1, 1),
        find_keys=find_keys,
        lock=lock_sort,
        lock_in_exec=lock_sort_in_exec,
        key_flags="RO ACCESS",
        acl="@read @set @sortedset @list @slow @dangerous",
        since="7.0.0",
        group="generic",
        syntax=_SYNTAX,
        summary="Sorts the elements of a list, set or sorted set.",
        complexity=_COST,
    ),
)
