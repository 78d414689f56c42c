# cython: cdivision=True
"""What an eviction policy may see of a segment of the compiled Dash table."""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from nogil_df.shard._directory cimport Directory
from nogil_df.shard._record cimport Record, deadline_at, key_object, read_record
from nogil_df.shard._segment cimport GHOSTS, Segment, leave_ghost, record_at


@cython.final
cdef class SegmentView:
    """What may be seen of a segment: `nogil_df.shard.dash.SegmentView`.

    `ages` is a copy, which counts once it is assigned.
    """

    cdef Directory table
    cdef uint64_t position
    cdef bytearray copied

    def __init__(self, Directory table not None, uint64_t position):
        self.table = table
        self.position = position

    cdef Segment *seen(self) noexcept:
        return self.table.segment_at(self.position)

    @property
    def count(self):
        return self.seen().count

    @property
    def fingerprints(self):
        cdef Segment *segment = self.seen()
        return bytearray((<char *> segment.fingerprints)[:segment.slots]) if segment.slots else bytearray()

    @property
    def ages(self):
        cdef Segment *segment = self.seen()
        if self.copied is None:
            self.copied = bytearray((<char *> segment.ages)[:segment.slots]) if segment.slots else bytearray()
        return self.copied

    @ages.setter
    def ages(self, bytearray ages not None):
        cdef Segment *segment = self.seen()
        if len(ages) != segment.slots:
            raise ValueError("not as many ages as slots")
        memcpy(segment.ages, PyByteArray_AS_STRING(ages), segment.slots)

    @property
    def ghosts(self):
        cdef Segment *segment = self.seen()
        cdef uint32_t i
        return [] if segment.ghosts is NULL else [segment.ghosts[i] for i in range(GHOSTS)]

    def slots(self):
        """The occupied slots."""
        cdef Segment *segment = self.seen()
        cdef uint32_t slot
        return [slot for slot in range(segment.slots) if segment.fingerprints[slot]]

    def expiring_slots(self):
        """The slots whose records have a deadline."""
        cdef Segment *segment = self.seen()
        cdef uint32_t slot
        if not segment.expiring:
            return []
        return [
            slot for slot in range(segment.slots)
            if segment.fingerprints[slot] and deadline_at(record_at(segment, slot))
        ]

    cdef int check(self, Segment *segment, Py_ssize_t slot) except -1:
        if not 0 <= slot < segment.slots or not segment.fingerprints[slot]:
            raise IndexError(f"slot {slot} is free")
        return 0

    def key(self, Py_ssize_t slot):
        """The key in an occupied slot."""
        cdef Segment *segment = self.seen()
        cdef Record record
        self.check(segment, slot)
        read_record(record_at(segment, slot), &record)
        return key_object(&record)

    def deadline(self, Py_ssize_t slot):
        """The deadline of a slot's record, unix ms; 0 if it has none."""
        cdef Segment *segment = self.seen()
        self.check(segment, slot)
        return deadline_at(record_at(segment, slot))

    def remember(self, uint64_t h):
        """Leave a ghost of a key; the oldest of its bucket is forgotten."""
        leave_ghost(self.seen(), h, &self.table.totals)
