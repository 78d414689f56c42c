from libc.stdint cimport int64_t, uint64_t


cdef struct Intent:
    uint64_t h
    int64_t held            # as in `nogil_df.vll.locks`; 0: the place is free


cdef class Keys:
    cdef uint64_t *hashes
    cdef Py_ssize_t size, room
    cdef bint in_order      # ascending: once somebody has looked for one of many

    cdef inline void clear(self) noexcept:
        self.size = 0
        self.in_order = False

    cdef int add(self, uint64_t h) except -1
    cdef bint has(self, uint64_t h) noexcept
    cdef int put_in_order(self) except -1


cdef class IntentLocks:
    cdef Intent *places
    cdef int bits           # there are 2 to the power of so many places
    cdef Py_ssize_t used
    cdef int64_t everything # what global transactions hold

    cdef inline int64_t held(self, uint64_t h) noexcept:
        """What is held on a key alone. O(1)."""
        cdef Py_ssize_t mask, at
        if self.used == 0:
            return 0
        mask = (<Py_ssize_t>1 << self.bits) - 1
        at = self.place(h)
        while self.places[at].held != 0:
            if self.places[at].h == h:
                return self.places[at].held
            at = (at + 1) & mask
        return 0

    cdef inline bint concerns(self, uint64_t h) noexcept:
        """Whether anybody has an intent on this key, or on everything. O(1)."""
        return self.everything != 0 or self.held(h) != 0

    cpdef bint is_wanted(self, uint64_t fingerprint) except -1
    cdef Py_ssize_t place(self, uint64_t h) noexcept
    cdef int change(self, uint64_t h, int64_t by) except -1
    cdef int resize(self, int bits) except -1
    cdef int change_all(self, keys, int64_t by) except -1
    cdef int none_holds(self, keys, int64_t least) except -1
    cpdef bint is_free(self, shared, exclusive) except -1
