"""Places as numbers: what is in C comes to the same figures as what it was made from."""

from __future__ import annotations

from random import Random

import pytest

from nogil_df.base import geohash
from nogil_df.base.geohash import Shape, encode, is_place


@pytest.fixture
def places() -> list[float]:
    """Stored places all over the map, its corners among them."""
    source = Random(7)
    corners = [(x, y) for x in (-180.0, 0.0, 179.9999) for y in (-85.05, 0.0, 85.05)]
    anywhere = [(source.uniform(-180, 180), source.uniform(-85, 85)) for _ in range(500)]
    return [float(encode(*place)) for place in corners + anywhere]


def test_places_decode_to_the_same(places: list[float]) -> None:
    for score in places:
        assert geohash.decode(score) == geohash.decode_slowly(score)
        assert is_place(*geohash.decode(score))


def test_places_encode_to_the_same(places: list[float]) -> None:
    for place in map(geohash.decode, places):
        assert geohash.encode(*place) == geohash.encode_slowly(*place)
        for steps in (1, 7, 25):
            assert geohash.encode(*place, steps) == geohash.encode_slowly(*place, steps)
        assert geohash.encode(*place, latitude_limit=90.0) == geohash.encode_slowly(
            *place, latitude_limit=90.0
        )


def test_distances_are_the_same(places: list[float]) -> None:
    decoded = list(map(geohash.decode, places))
    for one, other in zip(decoded, reversed(decoded), strict=True):
        assert geohash.distance(*one, *other) == geohash.distance_slowly(*one, *other)
    assert geohash.distance(1.0, 2.0, 1.0, 3.0) == geohash.distance_slowly(1.0, 2.0, 1.0, 3.0)


@pytest.mark.parametrize("limit", [0, 1, 20])
@pytest.mark.parametrize(
    "shape",
    [
        Shape(10.0, 50.0, 3_000_000.0),
        Shape(-180.0, 85.0, 1e9),
        Shape(0.0, 0.0, 0.0),
        Shape(0.0, 0.0, 0.0, 4_000_000.0, 9_000_000.0, is_circle=False),
        Shape(170.0, -60.0, 0.0, 1e9, 1e6, is_circle=False),
        Shape(0.0, 0.0, float("inf")),
    ],
)
def test_the_same_is_inside(places: list[float], shape: Shape, limit: int) -> None:
    members = [b"%d" % number for number in range(len(places))]
    found = geohash.inside(shape, members, places, limit)
    assert found == geohash.inside_slowly(shape, members, places, limit)
    assert not limit or len(found) <= limit
