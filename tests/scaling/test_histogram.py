"""Quantiles of the histogram, against sorted values."""

from __future__ import annotations

import random
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from stress.scaling.histogram import PRECISION, Histogram, bucket_of, highest_in

VALUES = st.lists(st.integers(0, 1 << 40), min_size=1, max_size=200)


@given(st.integers(0, 1 << 45))
def test_a_bucket_holds_its_value_and_ends_before_the_next(value: int) -> None:
    end = highest_in(bucket_of(value))
    assert value <= end <= value * (1 + PRECISION)
    assert bucket_of(end) == bucket_of(value)
    assert bucket_of(end + 1) == bucket_of(value) + 1


@given(VALUES, st.floats(0.01, 1.0))
def test_quantiles_are_those_of_sorted_values(values: list[int], share: float) -> None:
    histogram = Histogram()
    histogram.record(values)
    exact = sorted(values)[ceil(len(values) * share) - 1]
    assert exact <= histogram.quantile(share) <= exact * (1 + PRECISION)


def test_processes_add_up() -> None:
    rng = random.Random(1)
    values = [round(rng.lognormvariate(13, 1)) for _ in range(5000)]
    whole, first, second = Histogram(), Histogram(), Histogram()
    whole.record(values)
    first.record(values[:1234])
    second.record(values[1234:])
    first.merge(second)
    assert first.counts == whole.counts
    assert first.total == len(values)
    assert [first.quantile(q) for q in (0.5, 0.99, 0.999)] == [whole.quantile(q) for q in (0.5, 0.99, 0.999)]


def test_nothing_has_no_quantiles() -> None:
    assert Histogram().quantile(0.99) == 0
