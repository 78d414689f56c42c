"""Places on Earth as 52-bit numbers, and the boxes that cover a circle or a rectangle.

A place is a cell of a grid of 2^26 by 2^26 over longitude -180..180 and latitude -85.05112878..85.05112878
(the limits of EPSG:3857); the bits of its row and column are interleaved, so that cells near each other
mostly have numbers near each other, and every cell of a coarser grid is a range of them. These are the
scores that GEOADD stores; sphere, limits, order of the boxes and formulas are Redis's, so that positions and
distances are the same to the digit.

Angles are degrees, distances metres.
"""

from __future__ import annotations

from math import asin, cos, fabs, isfinite, nan, radians, sin, sqrt
from typing import NamedTuple

STEPS = 26
"""Bits for each of longitude and latitude in a stored place."""

LONGITUDE_LIMIT = 180.0
LATITUDE_LIMIT = 85.05112878

EARTH_RADIUS = 6372797.560856
"""Metres, of the sphere that Redis takes the Earth for."""

MERCATOR_MAX = 20037726.37
"""Metres from the middle of the map to its edge."""

_ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"


class Area(NamedTuple):
    """A cell: its edges."""

    west: float
    east: float
    south: float
    north: float

    def middle(self) -> tuple[float, float]:
        """(longitude, latitude) of the middle."""
        longitude = min(max((self.west + self.east) / 2, -LONGITUDE_LIMIT), LONGITUDE_LIMIT)
        latitude = min(max((self.south + self.north) / 2, -LATITUDE_LIMIT), LATITUDE_LIMIT)
        return longitude, latitude


class Shape(NamedTuple):
    """A circle, or a rectangle along the meridians.

    Attributes:
        radius: of the circle; 0 for a rectangle.
        width, height: of the rectangle; 0 for a circle.
    """

    longitude: float
    latitude: float
    radius: float
    width: float = 0.0
    height: float = 0.0
    is_circle: bool = True

    def distance_within(self, longitude: float, latitude: float) -> float | None:
        """How far a place is from the middle; None if it is outside."""
        if self.is_circle:
            away = distance(self.longitude, self.latitude, longitude, latitude)
            return away if away <= self.radius else None
        if latitude_distance(latitude, self.latitude) > self.height / 2:
            return None
        if distance(longitude, latitude, self.longitude, latitude) > self.width / 2:
            return None
        return distance(self.longitude, self.latitude, longitude, latitude)


def is_place(longitude: float, latitude: float) -> bool:
    """Whether coordinates are on the map."""
    return -LONGITUDE_LIMIT <= longitude <= LONGITUDE_LIMIT and -LATITUDE_LIMIT <= latitude <= LATITUDE_LIMIT


def _spread(value: int) -> int:
    """The low 32 bits with a zero bit between each two."""
    value &= 0xFFFFFFFF
    value = (value | value << 16) & 0x0000FFFF0000FFFF
    value = (value | value << 8) & 0x00FF00FF00FF00FF
    value = (value | value << 4) & 0x0F0F0F0F0F0F0F0F
    value = (value | value << 2) & 0x3333333333333333
    return (value | value << 1) & 0x5555555555555555


def _gather(value: int) -> int:
    """Every second bit, beginning with the lowest: undoes `_spread`."""
    value &= 0x5555555555555555
    value = (value | value >> 1) & 0x3333333333333333
    value = (value | value >> 2) & 0x0F0F0F0F0F0F0F0F
    value = (value | value >> 4) & 0x00FF00FF00FF00FF
    value = (value | value >> 8) & 0x0000FFFF0000FFFF
    return (value | value >> 16) & 0xFFFFFFFF


def encode(
    longitude: float, latitude: float, steps: int = STEPS, latitude_limit: float = LATITUDE_LIMIT
) -> int:
    """The number of the cell that a place is in, with ``steps`` bits each way. O(1)."""
    scale = 1 << steps
    column = int((longitude + LONGITUDE_LIMIT) / (2 * LONGITUDE_LIMIT) * scale)
    row = int((latitude + latitude_limit) / (2 * latitude_limit) * scale)
    return _spread(row) | _spread(column) << 1


def area_of(bits: int, steps: int = STEPS) -> Area:
    """The cell with a number. O(1)."""
    row, column = _gather(bits), _gather(bits >> 1)
    scale = 1 << steps
    width, height = 2 * LONGITUDE_LIMIT, 2 * LATITUDE_LIMIT
    return Area(
        -LONGITUDE_LIMIT + (column / scale) * width,
        -LONGITUDE_LIMIT + ((column + 1) / scale) * width,
        -LATITUDE_LIMIT + (row / scale) * height,
        -LATITUDE_LIMIT + ((row + 1) / scale) * height,
    )


def decode(score: float) -> tuple[float, float]:
    """(longitude, latitude) of a stored place. O(1)."""
    return area_of(int(score)).middle()


def text(score: float) -> str:
    """The standard geohash of a stored place, 11 characters: there latitudes go to 90 degrees. O(1)."""
    longitude, latitude = decode(score)
    bits = encode(longitude, latitude, latitude_limit=90.0)
    # 52 bits are ten characters and two bits; the rest of the eleventh is not known.
    return "".join(_ALPHABET[bits >> (47 - 5 * at) & 31] for at in range(10)) + _ALPHABET[0]


def latitude_distance(one: float, other: float) -> float:
    """Between two latitudes."""
    return EARTH_RADIUS * fabs(radians(one) - radians(other))


def distance(longitude1: float, latitude1: float, longitude2: float, latitude2: float) -> float:
    """Between two places, by the haversine formula."""
    v = sin((radians(longitude2) - radians(longitude1)) / 2)
    if v == 0.0:
        return latitude_distance(latitude1, latitude2)
    lat1, lat2 = radians(latitude1), radians(latitude2)
    u = sin((lat2 - lat1) / 2)
    # Of places opposite to each other it may come to more than 1, by rounding.
    return 2.0 * EARTH_RADIUS * asin(min(1.0, sqrt(u * u + cos(lat1) * cos(lat2) * v * v)))


def inside(
    shape: Shape, members: list[bytes], scores: list[float], limit: int
) -> list[tuple[bytes, float, float, float, float]]:
    """The members inside a shape, at most ``limit`` of them unless that is 0. O(members).

    Returns:
        Each with its metres from the middle, its score, longitude and latitude.
    """
    found: list[tuple[bytes, float, float, float, float]] = []
    for member, score in zip(members, scores, strict=True):
        longitude, latitude = decode(score)
        away = shape.distance_within(longitude, latitude)
        if away is not None:
            found.append((member, away, score, longitude, latitude))
            if len(found) == limit:
                break
    return found


def ranges_of(shape: Shape) -> list[tuple[int, int]]:
    """Ranges of stored places that cover a shape: (first, first that is not in it), at most nine.

    The middle cell first, then north, south, east, west and the corners, as far as the shape reaches there.
    """
    west, south, east, north = _bounds(shape)
    steps = _steps_for(shape)
    bits = encode(shape.longitude, shape.latitude, steps)
    if steps > 1 and _too_fine(bits, steps, west, south, east, north):
        steps -= 1
        bits = encode(shape.longitude, shape.latitude, steps)
    area = area_of(bits, steps)
    cells = [bits]
    for x, y in _NEIGHBOURS:
        if steps >= 2 and (
            (y < 0 and area.south < south)
            or (y > 0 and area.north > north)
            or (x < 0 and area.west < west)
            or (x > 0 and area.east > east)
        ):
            continue
        cells.append(_move(bits, x, y, steps))
    shift = 2 * (STEPS - steps)
    return [(cell << shift, (cell + 1) << shift) for cell in dict.fromkeys(cells)]


_NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))


def _move(bits: int, x: int, y: int, steps: int) -> int:
    """The cell that is so many columns and rows away; the map has no edges here."""
    mask = (1 << steps) - 1
    return _spread(_gather(bits) + y & mask) | _spread(_gather(bits >> 1) + x & mask) << 1


def _reach(shape: Shape) -> float:
    if shape.is_circle:
        return shape.radius
    width, height = shape.width / 2, shape.height / 2
    # Of numbers that are too great a power would be an error, and a product is infinite.
    return sqrt(width * width + height * height)


def _steps_for(shape: Shape) -> int:
    """The finest grid of which nine cells cover the shape."""
    reach = _reach(shape)
    if reach == 0:
        return STEPS
    steps = 1
    while reach < MERCATOR_MAX:
        reach *= 2
        steps += 1
    # So that the middle cell and its neighbours cover it wherever in its cell the middle is.
    steps -= 2
    if fabs(shape.latitude) > 66:
        steps -= 1
        if fabs(shape.latitude) > 80:
            steps -= 1
    return min(max(steps, 1), STEPS)


def _bounds(shape: Shape) -> tuple[float, float, float, float]:
    """(west, south, east, north) of what encloses the shape; of one without end, west and east are NaN."""
    height = shape.radius if shape.is_circle else shape.height / 2
    width = shape.radius if shape.is_circle else shape.width / 2
    up = _degrees(height / EARTH_RADIUS)
    # A degree of longitude is shortest at the edge that is nearer to a pole.
    edge = shape.latitude - up if shape.latitude < 0 else shape.latitude + up
    aside = _degrees(width / EARTH_RADIUS / cos(radians(edge))) if isfinite(edge) else nan
    return shape.longitude - aside, shape.latitude - up, shape.longitude + aside, shape.latitude + up


def _degrees(angle: float) -> float:
    return angle / (3.14159265358979323846 / 180.0)


def _too_fine(bits: int, steps: int, west: float, south: float, east: float, north: float) -> bool:
    """Whether the shape reaches beyond the neighbours of the middle cell."""
    return (
        area_of(_move(bits, 0, 1, steps), steps).north < north
        or area_of(_move(bits, 0, -1, steps), steps).south > south
        or area_of(_move(bits, 1, 0, steps), steps).east < east
        or area_of(_move(bits, -1, 0, steps), steps).west > west
    )


# In C where it was built; what is above is the specification.
encode_slowly, decode_slowly, distance_slowly, inside_slowly = encode, decode, distance, inside
try:
    from nogil_df.base._geohash import decode as decode
    from nogil_df.base._geohash import distance as distance
    from nogil_df.base._geohash import encode as encode
    from nogil_df.base._geohash import inside as inside
    from nogil_df.base._geohash import is_place as is_place
except ImportError:
    pass
