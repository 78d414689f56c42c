"""Many records of a compiled Dash table in one call, and what concerns the memory of all tables.

`nogil_df.shard.dash_many` is the reference of three of these.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from nogil_df.base._xxh3 cimport LONGEST, xxh3
from nogil_df.base._words cimport format_integer
from nogil_df.shard._dash cimport DashTable
from nogil_df.shard._record cimport OUTSIDE, Value, string_value
from nogil_df.shard._segment cimport give_back, no_huge_pages


def prepare_process():
    """Keep the system from making huge pages of heaps that are meant to have pages nobody has touched. O(1)."""
    no_huge_pages()


def give_memory_back():
    """Return to the system what malloc has to spare. O(free blocks), with malloc locked."""
    give_back()


def fill_numbered(
    DashTable table not None, bytes prefix not None, uint64_t number, uint64_t left, Py_ssize_t size,
    uint64_t shard, uint64_t shards, int64_t budget,
):
    """Make keys `prefix:N` with values `value:N` for DEBUG POPULATE, as `nogil_df.commands.populate` describes.

    Of the numbers from `number` on, `left` at most, those whose keys belong to the shard get a record, unless they
    have one. A value is cut or filled up with zeros to `size` bytes, if that is not 0. Only for tables whose hash is
    XXH3, and sizes below 16 KB. O(budget).

    Returns:
        The number to go on with, and how many records were made. Work beyond the budget is not begun: a key costs 1,
        about 25 ns, making it 8 more.
    """
    cdef Py_ssize_t start = PyBytes_GET_SIZE(prefix) + 1
    cdef Py_ssize_t length, digits_size
    cdef char scratch[24]
    cdef char *digits
    cdef char *key
    cdef char *text
    cdef uint64_t h
    cdef int64_t made = 0
    cdef Value value
    if not table.plain_hash or not 0 <= size < OUTSIDE or start + 20 > LONGEST:
        raise ValueError("not these keys")
    key = <char *> malloc(start + 24)
    text = <char *> calloc(max(size, 32), 1)
    try:
        if key is NULL or text is NULL:
            raise MemoryError
        memcpy(key, PyBytes_AS_STRING(prefix), start - 1)
        key[start - 1] = c':'
        memcpy(text, b"value:", 6)
        while left and budget > 0:
            digits = format_integer(<int64_t> number, scratch, &digits_size)
            memcpy(key + start, digits, digits_size)
            length = start + digits_size
            h = xxh3(key, length)
            budget -= 1
            if (h >> 32) % shards == shard:
                if table.live(table.segment_of(h), key, length, h) < 0:
                    if size:
                        memset(text + 6, 0, max(size, 32) - 6)
                    memcpy(text + 6, digits, digits_size)
                    string_value(&value, text, size or 6 + digits_size)
                    table.insert(key, length, h, &value, 0)
                    made += 1
                    budget -= 8 + (size >> 6)
            number += 1
            left -= 1
        return number, made
    finally:
        free(key)
        free(text)


def get_many(DashTable table not None, keys, hashes):
    """What `table.get` answers for each key, in order. O(keys)."""
    return [table.get(key, h) for key, h in zip(keys, hashes, strict=True)]


def put_many(DashTable table not None, keys, hashes, values, copy_keys):
    """Do what `table.put` does for each pair, in order, without deadlines; the old values. O(keys).

    Whose objects keys and values are does not matter: they are copied.
    """
    return [table.put(key, h, value) for key, h, value in zip(keys, hashes, values, strict=True)]


def revise_many(DashTable table not None, keys, hashes, revise, otherwise):
    """Put `revise(value)` in the place of each value, in order; see `nogil_df.shard.dash_many`. O(keys)."""
    results = []
    grown = 0
    for key, h in zip(keys, hashes, strict=True):
        value = table.get(key, h)
        revised = None if value is None else revise(value)
        if revised is None:
            results.append(otherwise(key, h))
            continue
        table.put(key, h, revised, -1)
        grown += len(revised) - len(value)
        results.append(revised)
    return results, grown
