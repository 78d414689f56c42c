cpdef Py_ssize_t bisect_left(list items, item, Py_ssize_t low=*, Py_ssize_t high=*) except -1
cpdef Py_ssize_t bisect_right(list items, item, Py_ssize_t low=*, Py_ssize_t high=*) except -1
cpdef int insert(list items, Py_ssize_t place, item) except -1
