# cython: cdivision=True
"""Strings of a snapshot, compiled: most records of most data sets are keys with a string as their value.

`StringTaker` writes them down for a cut, and `pack_strings` compresses them. `load_strings` stores a run of them in
the compiled table, `scan_strings` divides one among the shards that own them.

All take records for as long as there is nothing unusual, and leave the rest to the Python that calls them: other
types and opcodes, what is damaged, what has to be told to somebody. They judge nothing, so there is no error here
that would have to be worded as there: the record in question is read again.
"""

from cpython.bytearray cimport (
    PyByteArray_AS_STRING,
    PyByteArray_FromStringAndSize,
    PyByteArray_GET_SIZE,
    PyByteArray_Resize,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from nogil_df.base._lzf cimport deflate, inflate
from nogil_df.base._words cimport format_integer, load_integer
from nogil_df.base._xxh3 cimport LONGEST, xxh3
from nogil_df.rdb._texts cimport COMPRESSED_FROM, SAVED, bytes_of_length, put_integer, put_length
from nogil_df.shard._dash cimport DashTable
from nogil_df.shard._directory cimport BucketTaker
from nogil_df.shard._record cimport (
    INTEGER, KIND, OBJECT, Record, WIDTH, WIDTH_SHIFT, load_object, read_record,
)
from nogil_df.shard._segment cimport BUCKET_SLOTS, Segment, record_at

from nogil_df.base.hashing import hash_key as python_xxh3

cdef enum:
    FORM_STRING = 0
    IDLE = 248  # opcodes
    FREQUENCY = 249
    DEADLINE_MS = 252
    DATABASE = 254
    COMPRESSED = 0xC3  # what begins a string that is
    MOST_BEFORE = 20  # bytes before key and value: deadline, form, two lengths
    LONGEST_TEXT = 1 << 20  # bytes of a compressed string that is unpacked here


cdef struct Text:
    const uint8_t *data
    Py_ssize_t size


cdef struct Scratch:
    uint8_t *space
    Py_ssize_t size


cdef const uint8_t *read_length(const uint8_t *at, const uint8_t *end, Py_ssize_t *length) noexcept nogil:
    """A length of up to 32 bits; the place behind it, NULL if there is none."""
    cdef int kind
    if at >= end:
        return NULL
    kind = at[0] >> 6
    if kind == 0:
        length[0] = at[0]
        return at + 1
    if kind == 1:
        if end - at < 2:
            return NULL
        length[0] = (at[0] & 0x3F) << 8 | at[1]
        return at + 2
    if at[0] != 0x80 or end - at < 5:
        return NULL
    length[0] = <Py_ssize_t> at[1] << 24 | at[2] << 16 | at[3] << 8 | at[4]
    return at + 5


cdef const uint8_t *skip_string(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """The place behind a string of any encoding; NULL if it is not there as a whole."""
    cdef Py_ssize_t size, unpacked
    if at >= end:
        return NULL
    if at[0] >> 6 == 3:
        if at[0] == 0xC3:
            at = read_length(at + 1, end, &size)
            if at is not NULL:
                at = read_length(at, end, &unpacked)
        elif at[0] <= 0xC2:
            size = 1 << (at[0] & 3)
            at += 1
        else:
            return NULL
    else:
        at = read_length(at, end, &size)
    if at is NULL or size > end - at:
        return NULL
    return at + size


cdef const uint8_t *read_text(
    const uint8_t *at, const uint8_t *end, Text *text, char *digits, Scratch *scratch
) noexcept nogil:
    """A string of any encoding; the place behind it, NULL if it is left to others.

    `text` points to where it stands, or to `digits` or `scratch`.
    """
    cdef const uint8_t *behind
    cdef Py_ssize_t size
    cdef int64_t number
    cdef int32_t four
    cdef uint8_t *space
    if at >= end:
        return NULL
    if at[0] >> 6 != 3:
        at = read_length(at, end, &text.size)
        if at is NULL or text.size > end - at:
            return NULL
        text.data = at
        return at + text.size
    behind = skip_string(at, end)
    if behind is NULL:
        return NULL
    if at[0] == 0xC3:
        at = read_length(at + 1, end, &size)
        at = read_length(at, end, &text.size)
        # LZF makes at most 264 bytes of three.
        if text.size > LONGEST_TEXT or text.size > 88 * size + 264:
            return NULL
        if text.size > scratch.size:
            space = <uint8_t *> realloc(scratch.space, text.size)
            if space is NULL:
                return NULL
            scratch.space = space
            scratch.size = text.size
        if not inflate(at, size, scratch.space, text.size):
            return NULL
        text.data = scratch.space
        return behind
    if at[0] == 0xC0:
        number = <int8_t> at[1]
    elif at[0] == 0xC1:
        number = <int16_t> (at[1] | at[2] << 8)
    else:
        four = <int32_t> (at[1] | <uint32_t> at[2] << 8 | <uint32_t> at[3] << 16 | <uint32_t> at[4] << 24)
        number = four
    text.data = <const uint8_t *> format_integer(number, digits, &text.size)
    return behind


def load_strings(DashTable table not None, bytes blob not None, Py_ssize_t start, int64_t now, bint override):
    """Store the strings that stand one behind the other in a blob, with their deadlines.

    Args:
        start: of a record, or of what stands before one.
        now: unix ms, by which deadlines are judged.
        override: a record may take the place of one that is there.

    Returns:
        The place of the first record that is left to the caller, then how many were stored, had expired, and took
        the place of another one.

    Complexity: O(bytes).
    """
    cdef const uint8_t *begin = <const uint8_t *> PyBytes_AS_STRING(blob)
    cdef const uint8_t *end = begin + PyBytes_GET_SIZE(blob)
    cdef const uint8_t *record = begin + start
    cdef const uint8_t *at
    cdef Text key, value
    cdef char key_digits[24]
    cdef char value_digits[24]
    cdef Scratch scratch
    cdef int64_t deadline
    cdef Py_ssize_t stored = 0, expired = 0, replaced = 0
    cdef int done
    scratch.space = NULL
    scratch.size = 0
    try:
        while record < end:
            at = record
            deadline = 0
            if at[0] == DEADLINE_MS:
                if end - at < 10:
                    break
                deadline = <int64_t> (
                    <uint64_t> at[1] | <uint64_t> at[2] << 8 | <uint64_t> at[3] << 16 | <uint64_t> at[4] << 24
                    | <uint64_t> at[5] << 32 | <uint64_t> at[6] << 40 | <uint64_t> at[7] << 48 | <uint64_t> at[8] << 56
                )
                at += 9
            # Before 1970, or 0: not as a save writes it.
            if at[0] != FORM_STRING or deadline < 0:
                break
            # A compressed key would need a place of its own beside the value's.
            if end - at < 2 or at[1] == 0xC3:
                break
            at = read_text(at + 1, end, &key, key_digits, &scratch)
            if at is NULL:
                break
            at = read_text(at, end, &value, value_digits, &scratch)
            if at is NULL:
                break
            if deadline and deadline < now:
                expired += 1
            else:
                done = table.put_string(
                    <const char *> key.data, key.size, table.hash_of(<const char *> key.data, key.size),
                    <const char *> value.data, value.size, deadline,
                )
                if done == 2 or done == 1 and not override:
                    break
                replaced += done
                stored += 1
            record = at
    finally:
        free(scratch.space)
    return record - begin, stored, expired, replaced


def scan_strings(
    bytes data not None, Py_ssize_t start, hash_key, uint64_t count, list blobs not None, list named not None,
    Py_ssize_t database, Py_ssize_t most,
):
    """Append the strings that stand one behind the other to the blobs of the shards that own them.

    Args:
        start: of a record, or of what stands before one.
        hash_key, count: of the shards.
        blobs: of each shard, a bytearray.
        named: the database that each blob named last.
        database: that the records belong to.
        most: bytes of a blob with which this ends.

    Returns:
        The place of the first record that is left to the caller, how many were taken, and a shard whose blob is
        that long, -1 if there is none.

    Complexity: O(bytes).
    """
    cdef const uint8_t *begin = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef const uint8_t *end = begin + PyBytes_GET_SIZE(data)
    cdef const uint8_t *record = begin + start
    cdef const uint8_t *at
    cdef const uint8_t *key
    cdef Py_ssize_t size, length
    cdef Py_ssize_t taken = 0, full = -1
    cdef uint64_t h, owner
    cdef bint plain = hash_key is python_xxh3
    cdef bytearray blob
    while record < end and full < 0:
        at = record
        if at[0] == DEADLINE_MS:
            if end - at < 10:
                break
            at += 9
        if at[0] != FORM_STRING or end - at < 2 or at[1] >> 6 == 3:
            break
        at = read_length(at + 1, end, &size)
        if at is NULL or size > end - at:
            break
        key = at
        at = skip_string(key + size, end)
        if at is NULL:
            break
        if plain and size <= LONGEST:
            h = xxh3(key, size)
        else:
            h = hash_key((<const char *> key)[:size])
        owner = (h >> 32) % count
        if <Py_ssize_t> named[owner] != database:
            break
        blob = blobs[owner]
        length = PyByteArray_GET_SIZE(blob)
        PyByteArray_Resize(blob, length + (at - record))
        memcpy(PyByteArray_AS_STRING(blob) + length, record, at - record)
        taken += 1
        record = at
        if PyByteArray_GET_SIZE(blob) >= most:
            full = owner
    return record - begin, taken, full



cdef inline void put_little(uint8_t *at, uint64_t number) noexcept nogil:
    cdef int byte
    for byte in range(8):
        at[byte] = <uint8_t> (number >> 8 * byte)


cdef class StringTaker(BucketTaker):
    """Takes the buckets of a cut, and writes down what is a string in them: 0.1 us, and its bytes copied once.

    Strings stay as they are, except for integers; `pack_strings` compresses them later, on another thread.

    Args:
        head: what each blob begins with.
        ages: what is written of each of the 256 ages; None for nothing.
        full: bytes of a blob from which `on_full` is called.
        on_others: called with the records of a bucket that are left to it: (key, value, deadline, age).
        on_full: called without arguments, and expected to call `hand_over` sooner or later.
        on_error: called with what goes wrong, which must not become an error of the command that is about to change
            a bucket.

    """

    cdef bytes head
    cdef list ages
    cdef Py_ssize_t full
    cdef object on_others
    cdef object on_full
    cdef object on_error
    cdef bytearray out
    cdef Py_ssize_t used  # bytes of `out`
    cdef Py_ssize_t keys

    def __init__(self, bytes head not None, list ages, Py_ssize_t full, on_others, on_full, on_error):
        self.head = head
        self.ages = ages
        self.full = full
        self.on_others = on_others
        self.on_full = on_full
        self.on_error = on_error
        self.keys = 0
        self.begin()

    cdef int begin(self) except -1:
        """Begin a blob: with room for all of it, as it would be copied eight times if it grew by and by."""
        self.used = PyBytes_GET_SIZE(self.head)
        self.out = PyByteArray_FromStringAndSize(NULL, self.used + self.full + (self.full >> 2))
        memcpy(PyByteArray_AS_STRING(self.out), PyBytes_AS_STRING(self.head), self.used)
        return 0

    def __len__(self):
        """Bytes of records that have not been handed over."""
        return self.used - PyBytes_GET_SIZE(self.head)

    def __call__(self, list records not None):
        """Take records as the reference table hands them out."""
        self.on_others(records)

    def take_count(self):
        """Records written down since this was last called."""
        keys = self.keys
        self.keys = 0
        return keys

    def hand_over(self):
        """The blob so far; the next one is begun."""
        out = self.out
        PyByteArray_Resize(out, self.used)
        self.begin()
        return out

    cdef int take(self, Segment *segment, Py_ssize_t start, uint32_t but) except -1:
        try:
            self.write_all(segment, start, but)
            if self.used >= self.full:
                self.on_full()
        except Exception as error:
            self.on_error(error)
        return 0

    cdef int write_all(self, Segment *segment, Py_ssize_t start, uint32_t but) except -1:
        cdef list others = None
        cdef Record record
        cdef Py_ssize_t slot
        for slot in range(start, start + BUCKET_SLOTS):
            if but >> slot - start & 1 or not segment.fingerprints[slot]:
                continue
            read_record(record_at(segment, slot), &record)
            if record.flags & KIND == OBJECT:
                if others is None:
                    others = []
                others.append((
                    record.key[:record.key_size], <object> load_object(record.value), record.deadline,
                    segment.ages[slot],
                ))
            else:
                self.write(&record, segment.ages[slot])
        if others is not None:
            self.on_others(others)
        return 0

    cdef int write(self, const Record *record, uint8_t age) except -1:
        cdef bytes text = None if self.ages is None else self.ages[age]
        cdef Py_ssize_t ages = 0 if text is None else PyBytes_GET_SIZE(text)
        cdef char scratch[24]
        cdef const char *value = record.value
        cdef Py_ssize_t size = record.value_size
        cdef int64_t number = 0
        cdef bint short = False
        cdef Py_ssize_t most
        cdef uint8_t *start
        cdef uint8_t *at
        if record.flags & KIND == INTEGER:
            number = load_integer(record.value, (record.flags & WIDTH) >> WIDTH_SHIFT)
            short = -2147483648 <= number <= 2147483647
            value = format_integer(number, scratch, &size)
        most = self.used + MOST_BEFORE + ages + record.key_size + size
        if most > PyByteArray_GET_SIZE(self.out):
            PyByteArray_Resize(self.out, 2 * most)
        start = <uint8_t *> PyByteArray_AS_STRING(self.out)
        at = start + self.used
        if record.deadline:
            at[0] = DEADLINE_MS
            put_little(at + 1, record.deadline)
            at += 9
        if ages:
            memcpy(at, PyBytes_AS_STRING(text), ages)
            at += ages
        at[0] = FORM_STRING
        at = put_length(at + 1, <uint32_t> record.key_size)
        memcpy(at, record.key, record.key_size)
        at += record.key_size
        if short:
            at = put_integer(at, number)
        else:
            at = put_length(at, <uint32_t> size)
            memcpy(at, value, size)
            at += size
        self.used = at - start
        self.keys += 1
        return 0


def pack_strings(bytearray blob not None):
    """A blob of a `StringTaker` with its values compressed where they shrink by it. O(bytes), without the GIL.

    Returns:
        The new blob; None if it is no such blob.
    """
    cdef Py_ssize_t size = PyByteArray_GET_SIZE(blob)
    cdef bytearray out = PyByteArray_FromStringAndSize(NULL, size)
    cdef const uint8_t *data = <const uint8_t *> PyByteArray_AS_STRING(blob)
    cdef uint8_t *made = <uint8_t *> PyByteArray_AS_STRING(out)
    with nogil:
        size = pack(data, data + size, made)
    if size < 0:
        return None
    PyByteArray_Resize(out, size)
    return out


cdef Py_ssize_t pack(const uint8_t *at, const uint8_t *end, uint8_t *out) noexcept nogil:
    """Copy records and compress their values. What is written is never longer than what was read."""
    cdef const uint8_t *record
    cdef const uint8_t *text
    cdef uint8_t *start = out
    cdef uint8_t *block
    cdef Py_ssize_t size, made, head
    while at < end:
        record = at
        if at[0] == FREQUENCY:
            at += 2
        elif at[0] == DEADLINE_MS:
            at += 9
        elif at[0] == IDLE or at[0] == DATABASE:
            at = read_length(at + 1, end, &size)
        elif at[0] == FORM_STRING:
            at = skip_string(at + 1, end)
            if at is NULL or at >= end:
                return -1
            text = at
            if at[0] >> 6 == 3:
                at = skip_string(at, end)
            else:
                text = read_length(at, end, &size)
                if text is NULL or size > end - text:
                    return -1
                if size >= COMPRESSED_FROM:
                    # A block has to leave room for what stands before it.
                    head = text - record + 1 + bytes_of_length(size)
                    made = deflate(text, size, out + head, size - SAVED - 2)
                    if made:
                        memcpy(out, record, at - record)
                        block = out + (at - record)
                        block[0] = COMPRESSED
                        block = put_length(put_length(block + 1, <uint32_t> made), <uint32_t> size)
                        memmove(block, out + head, made)
                        out = block + made
                        at = text + size
                        continue
                at = text + size
        else:
            return -1
        if at is NULL or at > end:
            return -1
        memcpy(out, record, at - record)
        out += at - record
    return out - start
