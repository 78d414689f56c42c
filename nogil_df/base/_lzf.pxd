# LZF in C, for compiled modules: `nogil_df.base.lzf` without a call of Python.
#
# `deflate` writes at most `room` bytes of a block to `out` and answers how many, 0 if they are not enough. Places are
# looked up by a hash of three bytes; how many bits that has depends on the size, so that clearing the table costs
# little for a short string. Where nothing repeats it looks at fewer and fewer places: 1 KB of random bytes costs
# 0.5 us, while text is packed at some 300 MB a second.
#
# `inflate` writes `size` bytes to `out` and answers 1; it answers 0 if the block does not make exactly so many bytes,
# and has then written no more than `size`.

from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

cdef inline bint inflate(
    const unsigned char *block, Py_ssize_t length, unsigned char *out, Py_ssize_t size
) noexcept nogil:
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t made = 0
    cdef Py_ssize_t run
    cdef Py_ssize_t distance
    cdef unsigned int control
    while at < length:
        control = block[at]
        at += 1
        if control < 32:
            run = <Py_ssize_t> control + 1
            if run > length - at or run > size - made:
                return False
            while run > 0:
                out[made] = block[at]
                made += 1
                at += 1
                run -= 1
            continue
        run = (control >> 5) + 2
        if run == 9:
            if at >= length:
                return False
            run += block[at]
            at += 1
        if at >= length:
            return False
        distance = (<Py_ssize_t> (control & 31) << 8 | block[at]) + 1
        at += 1
        if distance > made or run > size - made:
            return False
        # Byte by byte: a repetition may go on in what it makes.
        while run > 0:
            out[made] = out[made - distance]
            made += 1
            run -= 1
    return made == size


cdef enum:
    WINDOW = 1 << 13  # bytes that a repetition can reach back
    LONGEST_RUN = 264  # bytes of the longest repetition
    LITERALS = 32  # bytes of the longest run that is taken as it is
    MOST_BITS = 12  # of a hash: the table takes 16 KB of the stack
    PATIENCE = 5  # bits: after 32 places in vain every second one is looked at, after 64 every third...


cdef inline uint32_t hash_of_three(const unsigned char *at, int shift) noexcept nogil:
    return ((<uint32_t> at[0] << 16 | <uint32_t> at[1] << 8 | at[2]) * <uint32_t> 2654435761) >> shift


# Append what is taken as it is, in runs; the bytes that are there then, -1 if there is no room.
cdef inline Py_ssize_t append_literals(
    const unsigned char *start, Py_ssize_t size, unsigned char *out, Py_ssize_t made, Py_ssize_t room
) noexcept nogil:
    cdef Py_ssize_t run
    while size:
        run = size if size < LITERALS else LITERALS
        if made + run + 1 > room:
            return -1
        out[made] = <unsigned char> (run - 1)
        memcpy(out + made + 1, start, run)
        made += run + 1
        start += run
        size -= run
    return made


cdef inline Py_ssize_t deflate(
    const unsigned char *data, Py_ssize_t size, unsigned char *out, Py_ssize_t room
) noexcept nogil:
    cdef uint32_t places[1 << MOST_BITS]  # one more than the place; 0: none
    cdef Py_ssize_t at = 0, pending = 0, made = 0, misses = 0
    cdef Py_ssize_t place, distance, length, most
    cdef uint32_t h
    cdef int bits = 7
    if size >> 32:
        return 0
    while bits < MOST_BITS and size >> bits:
        bits += 1
    memset(places, 0, sizeof(uint32_t) << bits)
    while at + 3 <= size:
        h = hash_of_three(data + at, 32 - bits)
        place = <Py_ssize_t> places[h] - 1
        places[h] = <uint32_t> (at + 1)
        distance = at - place - 1
        if (
            place < 0 or distance >= WINDOW
            or data[place] != data[at] or data[place + 1] != data[at + 1] or data[place + 2] != data[at + 2]
        ):
            at += 1 + (misses >> PATIENCE)
            misses += 1
            if at - pending + made > room:
                return 0
            continue
        misses = 0
        most = size - at if size - at < LONGEST_RUN else LONGEST_RUN
        length = 3
        while length < most and data[place + length] == data[at + length]:
            length += 1
        made = append_literals(data + pending, at - pending, out, made, room)
        if made < 0 or made + 3 > room:
            return 0
        if length < 9:
            out[made] = <unsigned char> ((length - 2) << 5 | distance >> 8)
            made += 1
        else:
            out[made] = <unsigned char> (7 << 5 | distance >> 8)
            out[made + 1] = <unsigned char> (length - 9)
            made += 2
        out[made] = <unsigned char> (distance & 0xFF)
        made += 1
        at += length
        pending = at
        if at + 1 <= size:  # the last place of the repetition: what follows often repeats, too
            places[hash_of_three(data + at - 2, 32 - bits)] = <uint32_t> (at - 1)
    made = append_literals(data + pending, size - pending, out, made, room)
    return made if made > 0 else 0
