from nogil_df.base._numbers cimport parse_int

cpdef integer(bytes text)
