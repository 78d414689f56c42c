"""The value of a stream against a plain list of entries, whatever is done to it; groups, what is pending."""

from __future__ import annotations

import gc
from collections import OrderedDict

from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.shard import digest
from nogil_df.shard.stream_groups import SKIPPED, UNKNOWN, Delivery, Group, Pending
from nogil_df.shard.streams import LAST_ID, StreamValue

MOST = 4
"""Entries in a block: few, so that there are many blocks."""

BODIES = st.sampled_from(
    [
        [b"f", b"v"],
        [b"f", b""],
        [b"f", b"w" * 40],
        [b"g", b"v"],
        [b"f", b"1", b"g", b"2"],
        [b"f", b"1", b"f", b"2"],
        [b"", b""],
    ]
)
IDS = st.integers(0, 60)
Model = OrderedDict[int, tuple[bytes, ...]]


def check(value: StreamValue, model: Model) -> None:
    """The same entries, in any direction, and the invariants hold."""
    value.verify()
    entries = list(model.items())
    assert list(value) == entries
    assert len(value) == value.length == len(entries)
    assert value.first_id == (entries[0][0] if entries else 0)
    assert value.last_entry_id == (entries[-1][0] if entries else 0)
    assert value.span(0, LAST_ID, 0) == entries
    assert value.span_back(LAST_ID, 0, 0) == entries[::-1]


def _add(value: StreamValue, model: Model, draw: st.DrawFn) -> None:
    for body in draw(st.lists(BODIES, min_size=1, max_size=12)):
        entry_id = value.last_id + draw(st.integers(1, 3))
        value.append(entry_id, list(body), MOST, draw(st.sampled_from([0, 60, 4096])))
        model[entry_id] = tuple(body)


def _remove(value: StreamValue, model: Model, draw: st.DrawFn) -> None:
    for entry_id in draw(st.lists(IDS, max_size=20)):
        assert value.get(entry_id) == model.get(entry_id)
        assert value.remove(entry_id) == (model.pop(entry_id, None) is not None)


def _trim_to_length(value: StreamValue, model: Model, draw: st.DrawFn) -> None:
    most = draw(IDS)
    gone = max(0, len(model) - most)
    assert value.trim_to_length(most, False, 0) == gone
    for entry_id in list(model)[:gone]:
        del model[entry_id]


def _trim_below(value: StreamValue, model: Model, draw: st.DrawFn) -> None:
    least = draw(IDS)
    gone = [entry_id for entry_id in model if entry_id < least]
    assert value.trim_below(least, False, 0) == len(gone)
    for entry_id in gone:
        del model[entry_id]


def _trim_blocks(value: StreamValue, model: Model, draw: st.DrawFn) -> None:
    """An approximate trim removes whole blocks from the front, and not one more than it may."""
    bound, limit = draw(IDS), draw(st.sampled_from([0, 1, MOST, 2 * MOST + 1]))
    sizes = [len(block.ids) for block in value.blocks]
    trim = draw(st.sampled_from([value.trim_to_length, value.trim_below]))
    removed = trim(bound, True, limit)
    assert removed in [sum(sizes[:blocks]) for blocks in range(len(sizes) + 1)]
    assert not limit or removed <= limit
    gone = list(model)[:removed]
    if trim == value.trim_to_length:
        assert not removed or len(model) - removed >= bound
    else:
        assert all(entry_id < bound for entry_id in gone)
    for entry_id in gone:
        del model[entry_id]


def _look(value: StreamValue, model: Model, draw: st.DrawFn) -> None:
    low, high, count = draw(IDS), draw(IDS), draw(st.integers(0, 9))
    within = [(entry_id, body) for entry_id, body in model.items() if low <= entry_id <= high]
    assert value.span(low, high, count) == within[: count or None]
    assert value.span_back(high, low, count) == within[::-1][: count or None]


def _copy(value: StreamValue, model: Model, draw: st.DrawFn) -> None:
    copied = value.copy()
    check(copied, model)
    assert copied.memory == value.memory
    assert copied.digest(digest.ZEROS) == value.digest(digest.ZEROS)
    copied.append(copied.last_id + 1, [b"n", b"n"], MOST, 0)
    copied.trim_to_length(1, False, 0)


STEPS = st.sampled_from([_add, _add, _add, _remove, _trim_to_length, _trim_below, _trim_blocks, _look, _copy])


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_entries_are_those_of_a_plain_list(data: st.DataObject) -> None:
    value, model = StreamValue(), Model()
    for _ in range(data.draw(st.integers(1, 12))):
        data.draw(STEPS)(value, model, data.draw)
        check(value, model)


def test_a_block_is_full_with_so_many_entries_deleted_ones_included() -> None:
    value = StreamValue()
    for entry_id in range(1, 4):
        value.append(entry_id, [b"f", b"v"], 3, 4096)
    value.remove(2)
    value.append(4, [b"f", b"v"], 3, 4096)
    assert [block.ids for block in value.blocks] == [[1, 3], [4]]
    assert value.starts == [1, 4]


def test_a_block_is_full_with_so_many_bytes() -> None:
    value = StreamValue()
    for entry_id in range(1, 41):
        value.append(entry_id, [b"field", b"v" * 400], 0, 4096)
    assert {len(block.ids) for block in value.blocks[:-1]} <= {8, 9, 10}


def test_fields_that_entries_share_are_the_same_objects() -> None:
    value = StreamValue()
    for entry_id in range(1, 4):
        value.append(entry_id, [b"na" + b"me%d" % 1, b"v%d" % entry_id], 100, 4096)
    first, second, third = (body for _, body in value)
    assert first[0] is second[0] is third[0]
    assert value.copy().get(2)[0] is not second[0]  # type: ignore[index]


def test_the_last_of_a_block_was_deleted() -> None:
    """As in Redis a block ends with the greatest id it had, and is not below one between."""
    value = StreamValue()
    for entry_id in range(1, 5):
        value.append(entry_id, [b"f", b"v"], 2, 4096)
    value.remove(2)
    assert value.trim_below(2, True, 0) == 0
    assert value.trim_below(3, True, 0) == 1


def test_an_erased_stream_is_freed_in_slices() -> None:
    value = StreamValue()
    for entry_id in range(1, 2001):
        value.append(entry_id, [b"f", b"v"], 100, 4096)
    group = value.groups[b"g"] = Group(b"g", 0, 0)
    group.give(group.add_consumer(b"c", 0), 1, 0)
    assert value.free_step(2) == 2
    assert (value.groups, len(value)) == ({}, 2000)
    assert value.free_step(2) == 2
    assert len(value) == 400
    assert value.free_step(9) == 1
    assert len(value) == 0


# Groups.


def test_a_group_that_is_dropped_leaves_no_cycles() -> None:
    group = Group(b"g", 0, 0)
    for name in (b"one", b"two"):
        consumer = group.add_consumer(name, 0)
        for entry_id in range(5):
            group.give(consumer, entry_id, 0)
    gc.collect()
    gc.disable()
    try:
        del group, consumer
        assert gc.collect() == 0
    finally:
        gc.enable()


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_pending_is_a_sorted_dict(data: st.DataObject) -> None:
    pending, model = Pending(), dict[int, Delivery]()
    top = 0
    for _ in range(data.draw(st.integers(1, 30))):
        what = data.draw(st.sampled_from(["append", "add", "remove", "remove many", "span"]))
        if what == "append":
            for _ in range(data.draw(st.integers(1, 2 * SKIPPED))):
                top += 1
                model[top] = Delivery(b"c", top, 1)
                pending.add(top, model[top])
        elif what == "add":
            entry_id = data.draw(st.integers(0, top + 2))
            if entry_id not in model:
                model[entry_id] = Delivery(b"c", 0, 1)
                pending.add(entry_id, model[entry_id])
                top = max(top, entry_id)
        elif what.startswith("remove") and model:
            some = sorted(model)[: 1 if what == "remove" else data.draw(st.integers(1, len(model)))]
            for entry_id in some:
                del model[entry_id]
                pending.remove(entry_id)
        low, high, count = (data.draw(st.integers(0, top + 1)) for _ in range(3))
        assert pending.span(low, high, count) == [n for n in sorted(model) if low <= n <= high][:count]
        pending.verify()
        assert pending.entries == model
        assert len(pending) == len(model)
        if model:
            assert (pending.first(), pending.last()) == (min(model), max(model))


def test_a_reader_of_pending_passes_what_has_gone_only_once() -> None:
    pending = Pending()
    for entry_id in range(1000):
        pending.add(entry_id, Delivery(b"c", 0, 1))
    for entry_id in range(400):
        pending.remove(entry_id)
    assert len(pending.order) == 1000
    assert pending.span(0, 2000, 3) == [400, 401, 402]
    assert len(pending.order) == 600


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_what_groups_know_agrees(data: st.DataObject) -> None:
    value = StreamValue()
    group = value.groups[b"g"] = Group(b"g", 0, UNKNOWN)
    value.memory += group.memory
    names = [b"one", b"two"]
    for _ in range(data.draw(st.integers(1, 25))):
        before = group.memory
        name = data.draw(st.sampled_from(names))
        consumer = group.consumers[name] if name in group.consumers else group.add_consumer(name, 5)
        entry_id = data.draw(st.integers(1, 12))
        what = data.draw(st.sampled_from(["give", "settle", "hand over", "drop", "copy"]))
        pending = dict(group.pending.entries)
        if what == "give":
            group.give(consumer, entry_id, 7)
            assert group.pending.entries[entry_id].owner is consumer.name
        elif what == "settle":
            assert group.settle(entry_id) == (entry_id in pending)
        elif what == "hand over" and entry_id in pending:
            group.hand_over(pending[entry_id], entry_id, consumer)
        elif what == "drop":
            assert group.drop_consumer(name) == sum(one.owner is consumer.name for one in pending.values())
        value.memory += group.memory - before
        value.verify()
        twin = value.copy()
        twin.verify()
        assert deliveries(twin) == deliveries(value)


def deliveries(value: StreamValue) -> list[tuple[int, bytes, int, int]]:
    """What is pending, by id."""
    pending = value.groups[b"g"].pending.entries
    return [(number, one.owner, one.at, one.times) for number, one in sorted(pending.items())]


def test_lag_counts_what_a_group_has_not_read() -> None:
    value = StreamValue()
    group = Group(b"g", 0, 0)
    assert value.lag(group) == 0
    for entry_id in range(1, 11):
        value.append(entry_id, [b"f", b"v"], MOST, 4096)
    assert value.lag(group) == 10
    value.advance(group, [1, 2, 3])
    assert (group.entries_read, group.last_id, value.lag(group)) == (3, 3, 7)
    value.remove(8)
    value.max_deleted = 8
    assert value.lag(group) == UNKNOWN
    value.advance(group, [4, 5, 6, 7, 9, 10])
    assert (group.entries_read, value.lag(group)) == (10, 0)
