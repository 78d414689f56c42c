"""Copies of big values, and sorted sets of many members, made in slices (see `nogil_df.shard.lengthy`).

What is made is what the values' own `copy` and `of` make in one go.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from nogil_df.shard.hashes import Fields, HashValue
from nogil_df.shard.lengthy import Slices, sort_in_slices
from nogil_df.shard.limits import EncodingLimits
from nogil_df.shard.lists import ListValue
from nogil_df.shard.score_order import ROOMY, ScoreOrder, cut
from nogil_df.shard.sets import SetValue
from nogil_df.shard.sorted_sets import ENTRY_OVERHEAD, SortedSetValue


def is_big(value: Any, size: int) -> bool:
    """Whether a value is copied in slices of so many elements. O(1)."""
    kind = value.__class__
    if kind is HashValue:
        return value.deadlines is None and len(value) > size
    return kind in (SetValue, SortedSetValue, ListValue) and len(value) > size


def copy_in_slices(value: Any, size: int) -> Slices:
    """`copy_of` of a value that `is_big`."""
    kind = value.__class__
    if kind is SetValue:
        return value.around((yield from _copied_members(value.members, size)))
    if kind is ListValue:
        return (yield from _copied_list(value, size))
    if kind is HashValue:
        fields = Fields()
        pairs = iter(value.fields.items())
        while chunk := list(islice(pairs, size)):
            for field, content in chunk:
                fields[b"%b" % field] = b"%b" % content
            yield
        return value.around(fields)
    return value.around(*(yield from _copied_order(value, size)))


def _copied_members(members: set[bytes], size: int) -> Slices:
    copied: set[bytes] = set()
    following = iter(members)
    while chunk := list(islice(following, size)):
        copied.update([b"%b" % member for member in chunk])
        yield
    return copied


def _copied_list(value: ListValue, size: int) -> Slices:
    copied = ListValue([])
    for at in range(0, len(value), size):
        copied.push([b"%b" % element for element in value.span(at, min(at + size, len(value)))], False)
        yield
    return copied


def _copied_order(value: SortedSetValue, size: int) -> Slices:
    """Order and scores: the members of both are the same objects."""
    scores: dict[bytes, float] = {}
    members: list[bytes] = []
    for at in range(0, len(value), size):
        stop = min(at + size, len(value))
        copied = [b"%b" % member for member in value.order.span(at, stop)]
        scores.update(zip(copied, (score * 1.0 for score in value.order.scores_of(at, stop)), strict=True))
        members += copied
        yield
    return (yield from _order_of(members, scores, size)), scores


def _order_of(members: list[bytes], scores: dict[bytes, float], size: int) -> Slices:
    """The order of more than ``size`` members that are in order."""
    buckets: list[list[bytes]] = []
    values: list[list[float]] = []
    step = max(size // ROOMY, 2) * ROOMY
    for at in range(0, len(members), step):
        some, theirs = cut(members[at : at + step], scores)
        buckets += some
        values += theirs
        yield
    order = ScoreOrder()
    order.take_over(buckets, values)
    return order


def sorted_members(scores: dict[bytes, float], size: int) -> Slices:
    """The members in the order of a sorted set, as a list."""
    members = list(scores)
    return (
        yield from sort_in_slices(
            len(members),
            lambda start, stop: [(scores[member], member) for member in members[start:stop]],
            size,
            descending=False,
        )
    )


def sorted_set_in_slices(scores: dict[bytes, float], limits: EncodingLimits, size: int) -> Slices:
    """`SortedSetValue.of` for a dict of more than ``size`` members."""
    if len(scores) <= limits.zset_max_listpack_entries:
        return SortedSetValue.of(scores, limits)
    members = yield from sorted_members(scores, size)
    order = yield from _order_of(members, scores, size)
    value = SortedSetValue.of_sorted(scores, order, limits)
    for at in range(0, len(members), size):
        chunk = members[at : at + size]
        value.memory += ENTRY_OVERHEAD * len(chunk) + sum(map(len, chunk))
        yield
    return value


def own_scores_in_slices(scores: dict[bytes, float], size: int) -> Slices:
    """`own_scores` in slices."""
    copied: dict[bytes, float] = {}
    pairs = iter(scores.items())
    while chunk := list(islice(pairs, size)):
        copied.update([(b"%b" % member, score * 1.0) for member, score in chunk])
        yield
    return copied
