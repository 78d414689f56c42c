from libc.stdint cimport uint64_t

cpdef bint is_place(double longitude, double latitude) noexcept
cpdef uint64_t encode(double longitude, double latitude, int steps=*, double latitude_limit=*) noexcept
cpdef tuple decode(double score)
cpdef double distance(double longitude1, double latitude1, double longitude2, double latitude2) noexcept
