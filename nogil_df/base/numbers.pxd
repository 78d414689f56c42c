cpdef parse_int(data)
cpdef parse_float(data)
cpdef parse_bound(bytes data)
cpdef bytes format_double(double value)
