cdef class ReplyEncoder:
    cdef public list bulk_header, _next_bulk, ints, array_header
    cdef public tuple _constants, _handlers
