"""Intent locks in C: the twin of `nogil_df.vll.locks`, which tells what they are; the same tests run on both.

The counts stand in one array with open addressing, 16 bytes an intent, where a dict of ints takes a hundred and an
object for each hash. The compiled short cut names its keys as C numbers (`Keys`); all others come with sets, as ever.

Hashes of keys are known to everybody, so where an intent stands is decided by their product with a number that is not:
keys that were chosen to fall on one place of a table do not do so here.
"""

import os

from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memset

cdef enum:
    FEW = 32                # keys there is room for at first
    LEAST = 6               # 64 places, 1 KB
    MANY = 12               # keys from which on looking for some of them goes by bisection
    LARGE = 12              # a table of more places than 2 to this power is given back when it is empty

cdef int ascending(const void *one, const void *two) noexcept nogil:
    cdef uint64_t left = (<const uint64_t *>one)[0], right = (<const uint64_t *>two)[0]
    return (left > right) - (left < right)


cdef int64_t EXCLUSIVE = <int64_t>1 << 32
cdef uint64_t SECRET = int.from_bytes(os.urandom(8), "little") | 1


cdef class Keys:
    """Fingerprints of keys, for an owner in C; towards Python they look like a set that can't be changed.

    A fingerprint may be in it twice: then it is counted twice, when intents are taken and when they are given back.
    """

    def __cinit__(self):
        self.room = FEW
        self.size = 0
        self.hashes = <uint64_t *>malloc(FEW * sizeof(uint64_t))
        if self.hashes == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.hashes)

    def __init__(self, fingerprints=()):
        for fingerprint in fingerprints:
            self.add(fingerprint)

    cdef int add(self, uint64_t h) except -1:
        cdef uint64_t *grown
        if self.size == self.room:
            grown = <uint64_t *>realloc(self.hashes, 2 * self.room * sizeof(uint64_t))
            if grown == NULL:
                raise MemoryError
            self.hashes = grown
            self.room *= 2
        self.hashes[self.size] = h
        self.size += 1
        self.in_order = False
        return 0

    cdef bint has(self, uint64_t h) noexcept:
        """Whether a fingerprint is one of these. O(log(keys)) once they are in order, else O(keys)."""
        cdef Py_ssize_t i, low = 0, high = self.size
        if self.in_order:
            while low < high:
                i = (low + high) >> 1
                if self.hashes[i] < h:
                    low = i + 1
                else:
                    high = i
            return low < self.size and self.hashes[low] == h
        for i in range(self.size):
            if self.hashes[i] == h:
                return True
        return False

    cdef int put_in_order(self) except -1:
        """Make `has` quick. O(keys * log(keys)), and nothing if they are in order, or few."""
        if self.size >= MANY and not self.in_order:
            qsort(self.hashes, self.size, sizeof(uint64_t), ascending)
            self.in_order = True
        return 0

    def __len__(self):
        return self.size

    def __bool__(self):
        return self.size > 0

    def __contains__(self, uint64_t fingerprint):
        return self.has(fingerprint)

    def __iter__(self):
        cdef Py_ssize_t i
        return iter([self.hashes[i] for i in range(self.size)])

    def isdisjoint(self, others):
        """Whether none of these is among the others. O(fewer of both * log(more of both)), once those are in order."""
        cdef Py_ssize_t i
        cdef Keys few, many
        if self.size == 0 or not others:
            return True
        if type(others) is Keys:
            few, many = (self, others) if self.size < (<Keys>others).size else (others, self)
            many.put_in_order()
            for i in range(few.size):
                if many.has(few.hashes[i]):
                    return False
            return True
        for i in range(self.size):
            if self.hashes[i] in others:
                return False
        return True


cdef class IntentLocks:
    """The intents held on one shard. See `nogil_df.vll.locks.IntentLocks`.

    Invariants: `used` places are not free, at most half of them; from where a fingerprint belongs to where it stands
    none is.
    """

    def __cinit__(self):
        self.bits = LEAST
        self.used = 0
        self.everything = 0
        self.places = <Intent *>malloc(sizeof(Intent) << LEAST)
        if self.places == NULL:
            raise MemoryError
        memset(self.places, 0, sizeof(Intent) << LEAST)

    def __dealloc__(self):
        free(self.places)

    def __len__(self):
        return self.used + (self.everything != 0)

    def __bool__(self):
        return self.used != 0 or self.everything != 0

    cdef Py_ssize_t place(self, uint64_t h) noexcept:
        """Where the intents on a key stand if nothing else does."""
        return <Py_ssize_t>((h * SECRET) >> (64 - self.bits))

    cdef int resize(self, int bits) except -1:
        """Have room for so many intents; O(places)."""
        cdef Intent *old = self.places
        cdef Intent *made = <Intent *>malloc(sizeof(Intent) << bits)
        cdef Py_ssize_t places = <Py_ssize_t>1 << self.bits, mask = (<Py_ssize_t>1 << bits) - 1, i, at
        if made == NULL:
            raise MemoryError
        memset(made, 0, sizeof(Intent) << bits)
        self.places = made
        self.bits = bits
        for i in range(places):
            if old[i].held != 0:
                at = self.place(old[i].h)
                while made[at].held != 0:
                    at = (at + 1) & mask
                made[at] = old[i]
        free(old)
        return 0

    cdef int change(self, uint64_t h, int64_t by) except -1:
        """Add to what is held on a key, or take away. O(1), amortised."""
        cdef Py_ssize_t mask, at, hole, home
        if by > 0 and 2 * self.used >= <Py_ssize_t>1 << self.bits:
            self.resize(self.bits + 1)
        mask = (<Py_ssize_t>1 << self.bits) - 1
        at = self.place(h)
        while self.places[at].held != 0 and self.places[at].h != h:
            at = (at + 1) & mask
        if self.places[at].held == 0:
            self.places[at].h = h
            self.used += 1
        self.places[at].held += by
        if self.places[at].held != 0:
            return 0
        # What stands behind it, as its place was taken, moves up.
        self.used -= 1
        hole = at
        while True:
            at = (at + 1) & mask
            if self.places[at].held == 0:
                break
            home = self.place(self.places[at].h)
            if ((at - home) & mask) >= ((at - hole) & mask):
                self.places[hole] = self.places[at]
                hole = at
        self.places[hole].held = 0
        if self.used == 0 and self.bits > LARGE:
            self.resize(LEAST)
        return 0

    cdef int change_all(self, keys, int64_t by) except -1:
        """`change` for each of some keys. O(keys), amortised."""
        cdef Py_ssize_t i
        if type(keys) is Keys:
            for i in range((<Keys>keys).size):
                self.change((<Keys>keys).hashes[i], by)
        else:
            for fingerprint in keys:
                self.change(fingerprint, by)
        return 0

    cdef int none_holds(self, keys, int64_t least) except -1:
        """Whether as much is held on none of some keys. O(keys)."""
        cdef Py_ssize_t i
        if type(keys) is Keys:
            for i in range((<Keys>keys).size):
                if self.held((<Keys>keys).hashes[i]) >= least:
                    return False
        else:
            for fingerprint in keys:
                if self.held(fingerprint) >= least:
                    return False
        return True

    def conflicts(self, uint64_t fingerprint, bint exclusive):
        """See `nogil_df.vll.locks`."""
        cdef int64_t held = self.held(fingerprint) + self.everything
        return held != 0 if exclusive else held >= EXCLUSIVE

    cpdef bint is_free(self, shared, exclusive) except -1:
        """See `nogil_df.vll.locks`."""
        if self.everything != 0 and (exclusive or self.everything >= EXCLUSIVE):
            return False
        return self.used == 0 or (self.none_holds(exclusive, 1) and self.none_holds(shared, EXCLUSIVE))

    cpdef bint is_wanted(self, uint64_t fingerprint) except -1:
        """See `nogil_df.vll.locks`."""
        return self.concerns(fingerprint)

    def acquire(self, shared, exclusive):
        """See `nogil_df.vll.locks`."""
        # All are looked at before any is added: a fingerprint may be there twice.
        granted = self.is_free(shared, exclusive)
        self.change_all(exclusive, EXCLUSIVE)
        self.change_all(shared, 1)
        return granted

    def contested(self, shared, exclusive):
        """See `nogil_df.vll.locks`. One that stands twice in `Keys` may seem contested."""
        cdef Keys reads = Keys(), writes = Keys()
        cdef uint64_t h
        if self.everything != 0:
            return shared, exclusive
        for h in shared:
            if self.held(h) >= EXCLUSIVE:
                reads.add(h)
        for h in exclusive:
            if self.held(h) != EXCLUSIVE:
                writes.add(h)
        return reads, writes

    def acquire_everything(self, bint exclusive):
        """See `nogil_df.vll.locks`."""
        cdef Py_ssize_t i
        granted = self.everything == 0 if exclusive else self.everything < EXCLUSIVE
        if self.used:
            if exclusive:
                granted = False
            else:
                for i in range(<Py_ssize_t>1 << self.bits):
                    if self.places[i].held >= EXCLUSIVE:
                        granted = False
        self.everything += EXCLUSIVE if exclusive else 1
        return granted

    def release(self, shared, exclusive):
        """See `nogil_df.vll.locks`."""
        self.change_all(exclusive, -EXCLUSIVE)
        self.change_all(shared, -1)

    def release_everything(self, bint exclusive):
        """See `nogil_df.vll.locks`."""
        self.everything -= EXCLUSIVE if exclusive else 1

    def counts(self):
        """See `nogil_df.vll.locks`."""
        cdef Py_ssize_t i
        found = {self.places[i].h: self.places[i].held for i in range(<Py_ssize_t>1 << self.bits) if self.places[i].held}
        if self.everything:
            found[-1] = self.everything
        return found

    def verify(self):
        """See `nogil_df.vll.locks`."""
        cdef Py_ssize_t i, at, mask = (<Py_ssize_t>1 << self.bits) - 1, used = 0
        assert self.everything >= 0, f"intents on everything count {self.everything}"
        for i in range(mask + 1):
            if self.places[i].held == 0:
                continue
            used += 1
            assert self.places[i].held > 0, f"intent on {self.places[i].h:#x} counts {self.places[i].held}"
            at = self.place(self.places[i].h)
            while at != i:
                assert self.places[at].held != 0, f"intent on {self.places[i].h:#x} is not found"
                at = (at + 1) & mask
        assert used == self.used
        assert 2 * used <= mask + 1
