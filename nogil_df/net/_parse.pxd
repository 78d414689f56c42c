# The commands that lie in a buffer, found without making an object of them.

cdef enum:
    MOST_ARGUMENTS = 1024   # of a command that is parsed here
    LONGEST_VALUE = 1048576 # bytes of an argument that may be; as much as the least limit that can be set

cdef struct Argument:
    Py_ssize_t at
    Py_ssize_t size


cdef inline Py_ssize_t parse(const char *data, Py_ssize_t pos, Py_ssize_t end, Argument *args, int *argc) noexcept nogil:
    """Where the command that begins at `pos` ends; 0 if it is not all there, -1 if somebody else has to look."""
    cdef Py_ssize_t p = pos + 1, number, begin
    cdef int count, i
    if data[pos] != b"*":
        return -1
    begin = p
    number = 0
    while p < end and b"0" <= data[p] <= b"9":
        number = number * 10 + (data[p] - 48)
        p += 1
        if number > MOST_ARGUMENTS:
            return -1
    if p + 1 >= end:
        return 0
    if data[p] != b"\r" or data[p + 1] != b"\n" or p == begin or data[begin] == b"0":
        return -1
    p += 2
    count = <int>number
    for i in range(count):
        if p >= end:
            return 0
        if data[p] != b"$":
            return -1
        p += 1
        begin = p
        number = 0
        while p < end and b"0" <= data[p] <= b"9":
            number = number * 10 + (data[p] - 48)
            p += 1
            if number > LONGEST_VALUE:
                # It would not fit here anyway, and whether it is allowed has to be said at once.
                return -1
        if p + 1 >= end:
            return 0
        if data[p] != b"\r" or data[p + 1] != b"\n" or p == begin or (data[begin] == b"0" and p - begin > 1):
            return -1
        p += 2
        if p + number + 2 > end:
            return 0
        if data[p + number] != b"\r" or data[p + number + 1] != b"\n":
            return -1
        args[i].at = p
        args[i].size = number
        p += number + 2
    argc[0] = count
    return p
