from libc.stdint cimport uint64_t

from nogil_df.base._numbers cimport dashed, dashed_halves, dashed_pair

cpdef bytes written(uint64_t ms, uint64_t sequence)
cpdef bytes show(entry_id)
cpdef id_of(ms, sequence)
cpdef parse_id(bytes text, missing=*)
