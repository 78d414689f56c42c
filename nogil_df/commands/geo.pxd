cimport cython
from libc.stdint cimport uint64_t

from nogil_df.base._geohash cimport decode, distance, encode, is_place
from nogil_df.base._numbers cimport parse_float, parse_int
from nogil_df.commands.at_once cimport Here
from nogil_df.commands.sorted_sets cimport add_one, add_pairs, read_sorted_set
from nogil_df.shard.keyspace cimport Keyspace
from nogil_df.shard.sorted_sets cimport SortedSetValue

cpdef tuple _place(bytes longitude, bytes latitude)

@cython.locals(at=Py_ssize_t, latitude=cython.double, longitude=cython.double, pairs=list, word=bytes)
cpdef tuple cmd_geoadd(session, list args)

@cython.locals(pairs=list)
cpdef op_geoadd(Keyspace db, tuple payload, uint64_t h)

@cython.locals(scores=dict, value=SortedSetValue)
cpdef list _scores(Keyspace db, list args, uint64_t h)

@cython.locals(
    latitude=cython.double, longitude=cython.double, to_latitude=cython.double, to_longitude=cython.double
)
cpdef op_geodist(Keyspace db, tuple payload, uint64_t h)
