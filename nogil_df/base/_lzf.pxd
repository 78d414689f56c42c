# Undoing LZF in C, for compiled modules: `nogil_df.base.lzf.decompress` without a call of Python.
#
# `inflate` writes `size` bytes to `out` and answers 1; it answers 0 if the block does not make exactly so many bytes,
# and has then written no more than `size`.

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
