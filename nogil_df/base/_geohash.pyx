"""The part of `nogil_df.base.geohash` that a search does for every member, in C: the same formulas, the same figures."""

from libc.math cimport asin, cos, fabs, sin, sqrt
from libc.stdint cimport int64_t, uint64_t

cdef double LONGITUDE_LIMIT = 180.0
cdef double LATITUDE_LIMIT = 85.05112878
cdef double EARTH_RADIUS = 6372797.560856
cdef double RADIAN = 3.14159265358979323846 / 180.0
cdef double SCALE = 1 << 26


cdef inline uint64_t gather(uint64_t value) noexcept:
    """Every second bit, beginning with the lowest."""
    value &= 0x5555555555555555ULL
    value = (value | value >> 1) & 0x3333333333333333ULL
    value = (value | value >> 2) & 0x0F0F0F0F0F0F0F0FULL
    value = (value | value >> 4) & 0x00FF00FF00FF00FFULL
    value = (value | value >> 8) & 0x0000FFFF0000FFFFULL
    return (value | value >> 16) & 0xFFFFFFFFULL


cdef inline uint64_t spread(uint64_t value) noexcept:
    """The low 32 bits with a zero bit between each two."""
    value &= 0xFFFFFFFFULL
    value = (value | value << 16) & 0x0000FFFF0000FFFFULL
    value = (value | value << 8) & 0x00FF00FF00FF00FFULL
    value = (value | value << 4) & 0x0F0F0F0F0F0F0F0FULL
    value = (value | value << 2) & 0x3333333333333333ULL
    return (value | value << 1) & 0x5555555555555555ULL


cdef inline double edge(double limit, double place) noexcept:
    return -limit + (place / SCALE) * (2 * limit)


cdef inline double middle(double limit, uint64_t place) noexcept:
    """The middle of a row or column, on the map."""
    return min(max((edge(limit, <double>place) + edge(limit, <double>(place + 1))) / 2, -limit), limit)


cdef inline double latitude_distance(double one, double other) noexcept:
    return EARTH_RADIUS * fabs(one * RADIAN - other * RADIAN)


cdef double away(double longitude1, double latitude1, double longitude2, double latitude2) noexcept:
    cdef double v = sin((longitude2 * RADIAN - longitude1 * RADIAN) / 2)
    cdef double one, other, u
    if v == 0.0:
        return latitude_distance(latitude1, latitude2)
    one, other = latitude1 * RADIAN, latitude2 * RADIAN
    u = sin((other - one) / 2)
    return 2.0 * EARTH_RADIUS * asin(min(1.0, sqrt(u * u + cos(one) * cos(other) * v * v)))


cpdef bint is_place(double longitude, double latitude) noexcept:
    """Whether coordinates are on the map."""
    return -LONGITUDE_LIMIT <= longitude <= LONGITUDE_LIMIT and -LATITUDE_LIMIT <= latitude <= LATITUDE_LIMIT


cpdef uint64_t encode(double longitude, double latitude, int steps=26, double latitude_limit=LATITUDE_LIMIT) noexcept:
    """The number of the cell that a place is in, with `steps` bits each way. O(1)."""
    cdef double scale = <double>(1 << steps)
    cdef int64_t column = <int64_t>((longitude + LONGITUDE_LIMIT) / (2 * LONGITUDE_LIMIT) * scale)
    cdef int64_t row = <int64_t>((latitude + latitude_limit) / (2 * latitude_limit) * scale)
    return spread(<uint64_t>row) | spread(<uint64_t>column) << 1


cpdef tuple decode(double score):
    """(longitude, latitude) of a stored place. O(1)."""
    cdef uint64_t bits = <uint64_t>score
    return middle(LONGITUDE_LIMIT, gather(bits >> 1)), middle(LATITUDE_LIMIT, gather(bits))


cpdef double distance(double longitude1, double latitude1, double longitude2, double latitude2) noexcept:
    """Between two places, by the haversine formula."""
    return away(longitude1, latitude1, longitude2, latitude2)


def inside(shape, list members, list scores, Py_ssize_t limit):
    """The members inside a shape; see `nogil_df.base.geohash.inside`."""
    cdef double middle_longitude = shape.longitude, middle_latitude = shape.latitude
    cdef double radius = shape.radius, width = shape.width / 2, height = shape.height / 2
    cdef bint is_circle = shape.is_circle
    cdef double longitude, latitude, far
    cdef list found = []
    cdef Py_ssize_t i
    cdef uint64_t bits
    for i in range(len(scores)):
        bits = <uint64_t><double>scores[i]
        longitude = middle(LONGITUDE_LIMIT, gather(bits >> 1))
        latitude = middle(LATITUDE_LIMIT, gather(bits))
        if not is_circle and (
            latitude_distance(latitude, middle_latitude) > height
            or away(longitude, latitude, middle_longitude, latitude) > width
        ):
            continue
        far = away(middle_longitude, middle_latitude, longitude, latitude)
        if is_circle and not far <= radius:
            continue
        found.append((members[i], far, scores[i], longitude, latitude))
        if len(found) == limit:
            break
    return found
