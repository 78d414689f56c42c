"""The tx-queue: ordered by id, whatever the order of coming and going."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.vll.part import Part
from nogil_df.vll.txqueue import TxQueue


def part(tx_id: int) -> Part:
    """A part without keys."""
    made = Part(0, None, frozenset(), frozenset())
    made.tx_id = tx_id
    return made


@given(
    st.lists(st.tuples(st.integers(1, 10_000), st.booleans()), unique_by=lambda step: step[0]), st.randoms()
)
def test_order_is_that_of_ids(steps: list[tuple[int, bool]], random: object) -> None:
    """Insertions anywhere and removals of any part keep the order; head and tail are the extremes."""
    queue = TxQueue()
    model: dict[int, Part] = {}
    longest = 0
    for tx_id, removes in steps:
        model[tx_id] = part(tx_id)
        queue.insert(model[tx_id])
        longest = max(longest, len(model))
        if removes:
            victim = random.choice(sorted(model))  # type: ignore[attr-defined]
            queue.remove(model.pop(victim))
        queue.verify()
        assert [queued.tx_id for queued in queue.parts] == sorted(model)
        assert len(queue) == len(model)
        assert queue.head() is (model[min(model)] if model else None)
        assert queue.tail_id() == max(model, default=0)
    assert queue.longest == longest


def test_a_stranger_is_not_removed() -> None:
    """Two parts of one id are a bug that shows."""
    queue = TxQueue()
    queue.insert(part(3))
    with pytest.raises(AssertionError):
        queue.remove(part(3))


def test_verify_sees_disorder() -> None:
    """Ids out of order, or twice, are told."""
    queue = TxQueue()
    queue.parts = [part(2), part(1)]
    with pytest.raises(AssertionError, match="out of order"):
        queue.verify()
    queue.parts = [part(1), part(1)]
    with pytest.raises(AssertionError, match="out of order"):
        queue.verify()
