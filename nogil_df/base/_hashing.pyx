"""`nogil_df.base.hashing.hash_key` for compiled modules that hold keys as objects: no call of Python."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from nogil_df.base._xxh3 cimport LONGEST, xxh3

from xxhash import xxh3_64_intdigest


cpdef uint64_t plain_hash(bytes key) except? 0:
    """XXH3 of a key. O(length)."""
    if PyBytes_GET_SIZE(key) <= LONGEST:
        return xxh3(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
    return xxh3_64_intdigest(key)
