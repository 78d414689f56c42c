"""The order of a sorted set against a sorted list of pairs: ranks, bounds, spans, few and many buckets."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.shard import score_order
from nogil_df.shard.score_order import LIMIT, ScoreOrder, by_score, by_score_slowly

Model = dict[bytes, float]


@pytest.fixture(params=["small buckets", "as it is"])
def bucket_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The most entries of a bucket; small ones make many buckets and levels of sums of few entries."""
    if request.param == "as it is":
        return LIMIT
    monkeypatch.setattr(score_order, "LIMIT", 4)
    monkeypatch.setattr(score_order, "SPARSE", 2)
    monkeypatch.setattr(score_order, "ROOMY", 3)
    return 4


def pairs(model: Model) -> list[tuple[float, bytes]]:
    """The entries in order."""
    return sorted((score, member) for member, score in model.items())


def check(order: ScoreOrder, model: Model, rng: random.Random) -> None:
    """Everything that can be asked of an order."""
    order.verify()
    wanted = pairs(model)
    size = len(wanted)
    for _ in range(10):
        start, stop = sorted((rng.randrange(size + 1), rng.randrange(size + 1)))
        assert order.span(start, stop) == [member for _, member in wanted[start:stop]]
        assert order.scores_of(start, stop) == [score for score, _ in wanted[start:stop]]
        bound = float(rng.randrange(-1, 32))
        assert order.below(bound) == sum(score < bound for score, _ in wanted)
        assert order.up_to(bound) == sum(score <= bound for score, _ in wanted)
    for rank in rng.sample(range(size), min(size, 20)):
        score, member = wanted[rank]
        assert order.rank(score, member) == rank
        assert order.at(rank) == (member, score)


def changes(order: ScoreOrder, model: Model, rng: random.Random, scores: int, members: int) -> Iterator[None]:
    """Insert, move and remove for ever, more of the one and then more of the other."""
    growing = True
    while True:
        if rng.random() < 0.002:
            growing = not growing
        member = b"%d" % rng.randrange(members)
        if member in model:
            if rng.random() < 0.3:
                old = model[member]
                model[member] = (
                    old + rng.choice([-1.0, 1.0, 0.5]) if rng.random() < 0.7 else rng.random() * scores
                )
                assert order.move(old, model[member], member) == member
            elif not growing or rng.random() < 0.3:
                assert order.remove(model.pop(member), member) == member
        elif growing or rng.random() < 0.3:
            model[member] = float(rng.randrange(scores))
            order.insert(model[member], member)
        yield


@pytest.mark.parametrize("scores", [1, 3, 30, 100_000])
def test_it_is_a_sorted_list(bucket_size: int, scores: int) -> None:
    rng = random.Random(scores)
    order, model = ScoreOrder(), Model()
    for step, _ in enumerate(changes(order, model, rng, scores, 1500)):
        if step % 150 == 0:
            check(order, model, rng)
        if step == 6000:
            break


@pytest.mark.parametrize("scores", [1, 5, 100_000])
def test_taking_ranges_out(bucket_size: int, scores: int) -> None:
    rng = random.Random(scores)
    for size in (1, 5, 100, 2000):
        model = {b"%d" % number: float(rng.randrange(scores)) for number in range(size)}
        order = ScoreOrder.of(model)
        check(order, model, rng)
        while model:
            wanted = pairs(model)
            start = rng.randrange(len(wanted) + 1)
            stop = min(len(wanted), start + rng.choice([0, 1, 3, 10, 100, 1000]))
            gone = wanted[start:stop]
            assert order.take(start, stop) == ([m for _, m in gone], [s for s, _ in gone])
            for _, member in gone:
                del model[member]
            check(order, model, rng)
        assert order.members == [[]]


@pytest.mark.parametrize("step", [1, -1])
def test_growing_at_an_end(bucket_size: int, step: int) -> None:
    order = ScoreOrder()
    model = {b"%d" % number: float(step * number) for number in range(2000)}
    for member, score in model.items():
        order.insert(score, member)
    check(order, model, random.Random(1))
    if step > 0:
        # What grows at its end leaves full buckets behind.
        assert all(len(bucket) == bucket_size for bucket in order.members[:-1])


def test_members_in_bounds_where_all_scores_are_the_same(bucket_size: int) -> None:
    members = sorted(b"%d" % number for number in range(500))
    order = ScoreOrder.of(dict.fromkeys(members, 1.0))
    for bound in (b"", b"0", b"25", b"250x", b"499", b"9"):
        assert order.members_below(bound, included=False) == sum(member < bound for member in members)
        assert order.members_below(bound, included=True) == sum(member <= bound for member in members)


def test_dropping_gives_every_member_once(bucket_size: int) -> None:
    model = {b"%d" % number: float(number) for number in range(3000)}
    order = ScoreOrder.of(model)
    gone = [member for _ in range(3000) for member in order.drop(2)]
    assert sorted(gone) == sorted(model)


def test_buckets_stay_filled() -> None:
    """However entries come and go, no two neighbours could both be much emptier than a bucket may be."""
    rng = random.Random(7)
    order, model = ScoreOrder(), Model()
    for step, _ in enumerate(changes(order, model, rng, 1000, 20_000)):
        if step == 60_000:
            break
    for one, two in pairwise(order.members[:-1]):
        assert len(one) + len(two) > LIMIT // 4


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("reverse", [False, True])
def test_what_lies_between_two_scores(bucket_size: int, seed: int, reverse: bool) -> None:
    """`seek` and `between` find what a sorted list of pairs has."""
    source = random.Random(seed)
    size = source.choice([1, 5, 300, 2000])
    scores = {b"m%d" % n: float(source.randrange(size // 3 + 1)) for n in range(size)}
    order = ScoreOrder.of(scores)
    model = sorted((score, member) for member, score in scores.items())
    for _ in range(20):
        low, high = float(source.randrange(size + 1)), float(source.randrange(size + 1))
        above, below = source.random() < 0.5, source.random() < 0.5
        offset, limit = source.choice([0, 1, 300]), source.choice([1, 10, 400, size])
        expected = [
            (score, member)
            for score, member in model
            if (score > low if above else score >= low) and (score < high if below else score <= high)
        ]
        if reverse:
            expected.reverse()
        expected = expected[offset : offset + limit]
        begin, end = order.seek(low, after=above), order.seek(high, after=not below)
        members, values = order.between(begin, end, offset, limit, reverse=reverse)
        assert list(zip(values, members, strict=True)) == expected


def test_a_copy_is_the_same_and_shares_nothing() -> None:
    scores = {b"m%d" % n: float(n % 7) for n in range(1000)}
    order = ScoreOrder.of(scores)
    copied, found = order.copy()
    assert found == scores
    copied.verify()
    assert copied.span(0, 1000) == order.span(0, 1000)
    copied.insert(3.5, b"new")
    assert len(order.span(0, 1000)) == 1000
    order.verify()


SCORES = st.sampled_from([0.0, -0.0, 1.5, -2.0, float("inf")])


@given(st.dictionaries(st.binary(max_size=3), SCORES, max_size=60))
def test_members_are_put_in_order_in_c_as_before(scores: Model) -> None:
    assert by_score(scores) == by_score_slowly(scores)
