# The lower half of the compiled Dash table, told in `_directory.pyx`.

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from nogil_df.shard._segment cimport Segment, Totals

cdef enum:
    PREFIX_BITS = 42
    MERGE_CHECK_EVERY = 16
    # Records of two segments that merge. The reference's 210 would leave twice the memory that half of the keys need. A
    # segment is full with some 760, and merging or splitting costs 40 us: 1 us a record, should 40 come and go.
    MERGE_BELOW = 720
    # Where records make room for others that are to come, by eviction or in time. A segment that was full and has split
    # would merge again as soon as its halves have lost a few, and be split by those that come: where segments happen to be
    # as full as that, merging and splitting took half of the time of a server.
    MERGE_EMPTIED_BELOW = 560
    # A bucket's stamp, as in the reference.
    PARTLY = 1 << 14
    SLOTS_GIVEN = (1 << 14) - 1
    STAMP_SHIFT = 15

cdef extern from *:
    """
    /* Of hashes, as far as cursors tell segments apart. */
    #define DF_PREFIXES ((uint64_t) 1 << 42)
    """
    const uint64_t PREFIXES "DF_PREFIXES"

cdef struct Moved:
    uint64_t h
    uint32_t place
    uint8_t age


# The first prefix after a segment, PREFIXES after the last one.
cdef inline uint64_t end_of(const Segment *segment) noexcept:
    return segment.prefix + 1 << PREFIX_BITS - segment.depth


# What a cut may hand records to instead of a Python callable: those of a bucket, which begins at slot `start`, as they
# are, but not those in slots whose bits are set in `but`.
cdef class BucketTaker:
    cdef int take(self, Segment *segment, Py_ssize_t start, uint32_t but) except -1


cdef class Directory:
    cdef object tick
    cdef public object on_expired
    cdef object hash_key
    cdef bint plain_hash  # `hash_key` is XXH3
    cdef list cuts
    cdef uint64_t last_cut
    cdef readonly uint64_t cut_version
    cdef readonly object uses
    cdef public object aging
    cdef public uint8_t fresh
    cdef public uint8_t known
    cdef Segment **directory
    cdef int bits  # depth of the directory
    cdef int64_t depths[43]  # how many segments are 0, 1, ... bits deep
    cdef int64_t segments
    cdef Totals totals
    cdef Py_ssize_t count
    cdef readonly Py_ssize_t expiring
    cdef public Py_ssize_t expired_quietly  # records that nobody was told of, see `collect`
    cdef uint64_t freed  # the prefix up to which `free_step` has come
    cdef int64_t aging_from
    cdef int64_t aging_to
    cdef uint8_t older[256]  # the last translation of ages made

    # The segment of a hash.
    @cython.final
    cdef inline Segment *segment_of(self, uint64_t h) noexcept:
        # In two steps, as a shift by 64 means nothing in C.
        return self.directory[h >> 1 >> 63 - self.bits]

    # The segment that hashes beginning with these PREFIX_BITS bits belong to.
    @cython.final
    cdef inline Segment *segment_at(self, uint64_t prefix) noexcept:
        return self.directory[prefix >> PREFIX_BITS - self.bits]

    cdef uint64_t hash_of(self, const char *key, Py_ssize_t size) except? 0
    cdef int begin(self) except -1
    cdef void end(self) noexcept
    cdef int64_t now(self) except? -1
    cdef uint64_t hash_at(self, Segment *segment, Py_ssize_t slot) except? 0
    cdef int remove(self, Segment *segment, Py_ssize_t slot, uint64_t h) except -1
    cdef int expire(self, Segment *segment, Py_ssize_t slot, uint64_t h) except -1
    cdef int take_out(self, Segment *segment, Py_ssize_t slot, uint64_t h) except -1
    cdef int tidy_up(self, Segment *segment) except -1
    cdef Py_ssize_t collect(self, Segment *segment, int64_t now, bint quietly=?) except -1
    cdef int report_expired(self, Segment *segment, Py_ssize_t slot, bint quietly) except -1
    cdef Segment *make_room(self, Segment *segment, uint64_t h) except NULL
    cdef bint may_split(self, Segment *segment) noexcept
    cdef int set_bits(self, int bits) except -1
    cdef void point_to(self, Segment *segment) noexcept
    cdef int split(self, Segment *segment) except -1
    cdef int divide(self, Segment *segment, Segment *sibling, uint64_t bit, Moved *hashed) except -1
    cdef uint32_t carry(self, Segment *segment, Segment *other, uint32_t place) noexcept
    cdef int place(self, Segment *segment, uint64_t h, uint32_t at, uint8_t age) except -1
    cdef int shrink(self, Segment *segment, uint32_t below=?) except -1
    cdef int absorb(self, Segment *segment, Segment *buddy) except -1
    cdef int make_older(self, Segment *segment) except -1
    cdef bint hold(self, uint64_t version, Segment *segment, Py_ssize_t slot) except -1
    cdef int before_write(self, Segment *segment, Py_ssize_t slot) except -1
    cdef int hand_out_segment(self, Segment *segment) except -1
    cdef bint hand_out(self, Segment *segment, uint32_t bucket, uint64_t version) except -1
    cdef int give(self, on_change, Segment *segment, Py_ssize_t start, uint32_t but) except -1
    cdef list records(self, Segment *segment, Py_ssize_t start, Py_ssize_t end, bint aged, uint32_t but=?)
