cpdef bytes format_double(double value)
