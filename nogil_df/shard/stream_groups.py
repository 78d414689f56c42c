"""Consumer groups of a stream: who was given which entry, and has not acknowledged it yet.

A delivered entry is pending until it is acknowledged. One `Delivery` tells to whom it went, when and how
often; it stands in the list of its group and in that of its consumer, both of them `Pending`.

`Pending` is a dict by id plus the ids in order. Ids mostly come in ascending order, which is an append, and
leave from anywhere: a removal only takes the id out of the dict, and the order is cleared of what has gone
whenever that is half of it, or when somebody reads past it. So adding and removing cost O(1), amortised,
and a range starts by bisection. (A sorted dict costs four times as much for each entry.)

Memory is counted at constant rates for a delivery, a consumer and a group; the stream adds it to its own.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from sys import getsizeof
from typing import Final

from nogil_df.shard.memory import BYTES_OVERHEAD, ROUNDING

SKIPPED: Final = 64
"""Ids gone that a reader passes before the order is cleared of them there."""

UNKNOWN: Final = -1
"""The number of entries that a group has read, where it cannot be told."""

NEVER: Final = -1
"""The time of something that has not happened."""

DICT_BEGUN: Final = 160
"""What a dict takes once there is anything in it."""

DELIVERY_SIZE: Final = 56 + ROUNDING + 2 * (8 + 40)
"""Bytes of a pending entry: the delivery, and its places in two orders and two dicts."""

CONSUMER_SIZE: Final = 72 + 2 * 88 + BYTES_OVERHEAD + 2 * ROUNDING + getsizeof({}) + DICT_BEGUN
"""Bytes of a consumer beside its name and what is pending for it."""

GROUP_SIZE: Final = 96 + 88 + BYTES_OVERHEAD + 3 * ROUNDING + 2 * getsizeof({}) + DICT_BEGUN + 64
"""Bytes of a group beside its name, its consumers, and what is pending."""


class Delivery:
    """That an entry was given to a consumer.

    Attributes:
        owner: the consumer's name: the consumer itself would make a cycle, and cycles are never collected.
        at: when it was given last, unix ms.
        times: how often.
    """

    __slots__ = ("at", "owner", "times")

    def __init__(self, owner: bytes, at: int, times: int) -> None:
        self.owner = owner
        self.at = at
        self.times = times


class Pending:
    """Deliveries by id, in the order of the ids.

    Attributes:
        entries: the deliveries.
        order: their ids ascending, and among them some that have gone.
    """

    __slots__ = ("entries", "order")

    def __init__(self) -> None:
        self.entries: dict[int, Delivery] = {}
        self.order: list[int] = []

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, entry_id: int, delivery: Delivery) -> None:
        """Add a delivery of an entry that is not pending here. O(1) at the end, otherwise O(n) moves."""
        self.entries[entry_id] = delivery
        order = self.order
        if not order or order[-1] < entry_id:
            order.append(entry_id)
            return
        at = bisect_left(order, entry_id)
        if order[at] != entry_id:
            order.insert(at, entry_id)

    def remove(self, entry_id: int) -> None:
        """Remove a delivery that is there. O(1), amortised."""
        entries = self.entries
        del entries[entry_id]
        order = self.order
        if len(order) > 2 * len(entries) + SKIPPED:
            self.order = [one for one in order if one in entries]

    def span(self, low: int, high: int, count: int) -> list[int]:
        """The first ``count`` ids from ``low`` to ``high``, both included. O(log n + found), amortised."""
        found: list[int] = []
        order = self.order
        entries = self.entries
        begin = at = bisect_left(order, low)
        while at < len(order) and len(found) < count:
            entry_id = order[at]
            if entry_id > high:
                break
            if entry_id in entries:
                found.append(entry_id)
            at += 1
        if at - begin - len(found) > SKIPPED:
            order[begin:at] = found
        return found

    def first(self) -> int:
        """The smallest id; there must be one. O(1), amortised."""
        return self.span(0, self.order[-1], 1)[0]

    def last(self) -> int:
        """The greatest id; there must be one. O(1), amortised."""
        order = self.order
        while order[-1] not in self.entries:
            order.pop()
        return order[-1]

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError. O(n)."""
        order = self.order
        assert all(a < b for a, b in pairwise(order))
        assert [one for one in order if one in self.entries] == sorted(self.entries)


class Consumer:
    """A member of a group.

    Attributes:
        pending: what it was given and has not acknowledged.
        seen: when it last asked for anything, unix ms.
        active: when it was last given anything, unix ms; `NEVER` before that.
    """

    __slots__ = ("active", "name", "pending", "seen")

    def __init__(self, name: bytes, now: int) -> None:
        self.name = name
        self.pending = Pending()
        self.seen = now
        self.active = NEVER


class Group:
    """A consumer group.

    Args:
        name: its name.
        last_id: the last entry that counts as delivered.
        entries_read: how many entries there were up to it, `UNKNOWN` if nobody can tell.

    Attributes:
        consumers: by name.
        pending: what was delivered and not acknowledged, by all consumers.
        memory: bytes it holds.
    """

    __slots__ = ("consumers", "entries_read", "last_id", "memory", "name", "pending")

    def __init__(self, name: bytes, last_id: int, entries_read: int) -> None:
        self.name = name
        self.last_id = last_id
        self.entries_read = entries_read
        self.consumers: dict[bytes, Consumer] = {}
        self.pending = Pending()
        self.memory = GROUP_SIZE + len(name)

    def add_consumer(self, name: bytes, now: int) -> Consumer:
        """Make a consumer, whose name is new and its own. O(1)."""
        consumer = self.consumers[name] = Consumer(name, now)
        self.memory += CONSUMER_SIZE + len(name)
        return consumer

    def drop_consumer(self, name: bytes) -> int:
        """Remove a consumer with all that is pending for it; how much that was. O(pending for it)."""
        consumer = self.consumers.pop(name)
        dropped = len(consumer.pending)
        for entry_id in consumer.pending.entries:
            self.pending.remove(entry_id)
        self.memory -= CONSUMER_SIZE + len(name) + dropped * DELIVERY_SIZE
        return dropped

    def give(self, consumer: Consumer, entry_id: int, now: int) -> None:
        """Note the first delivery of an entry; one that was pending goes over to this consumer. O(1)."""
        pending = self.pending.entries
        if entry_id in pending:
            delivery = pending[entry_id]
            self.hand_over(delivery, entry_id, consumer)
            delivery.at = now
            delivery.times = 1
        else:
            self.add(Delivery(consumer.name, now, 1), entry_id)

    def add(self, delivery: Delivery, entry_id: int) -> None:
        """Let an entry be pending that was not. O(1)."""
        self.pending.add(entry_id, delivery)
        owner = self.consumers[delivery.owner]
        owner.pending.add(entry_id, delivery)
        self.memory += DELIVERY_SIZE

    def hand_over(self, delivery: Delivery, entry_id: int, consumer: Consumer) -> None:
        """Let an entry that is pending be pending for another consumer. O(1)."""
        if delivery.owner != consumer.name:
            self.consumers[delivery.owner].pending.remove(entry_id)
            consumer.pending.add(entry_id, delivery)
            delivery.owner = consumer.name

    def settle(self, entry_id: int) -> bool:
        """An entry is pending no more; False if it was not. O(1)."""
        entries = self.pending.entries
        if entry_id not in entries:
            return False
        delivery = entries[entry_id]
        owner = self.consumers[delivery.owner]
        owner.pending.remove(entry_id)
        self.pending.remove(entry_id)
        self.memory -= DELIVERY_SIZE
        return True

    def copy(self) -> Group:
        """A copy that shares nothing with this one. O(n)."""
        copied = Group(b"%b" % self.name, self.last_id, self.entries_read)
        for consumer in self.consumers.values():
            twin = copied.add_consumer(b"%b" % consumer.name, consumer.seen)
            twin.active = consumer.active
        for entry_id in self.pending.span(0, 1 << 128, len(self.pending)):
            delivery = self.pending.entries[entry_id]
            name = copied.consumers[delivery.owner].name
            copied.add(Delivery(name, delivery.at, delivery.times), entry_id)
        return copied

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError. O(n log n)."""
        self.pending.verify()
        together: dict[int, Delivery] = {}
        memory = GROUP_SIZE + len(self.name) + len(self.pending) * DELIVERY_SIZE
        for name, consumer in self.consumers.items():
            assert name == consumer.name
            memory += CONSUMER_SIZE + len(name)
            consumer.pending.verify()
            for entry_id, delivery in consumer.pending.entries.items():
                assert delivery.owner is consumer.name
                together[entry_id] = delivery
        assert together == self.pending.entries
        assert memory == self.memory
