"""Compiled functions as free-threaded CPython treats its own: never counted, never freed.

3.13t makes functions, code and classes immortal when the first thread starts, so that threads which call the
same function don't fight for its reference count. Functions of extension modules are of other types and are
left out. They live as long as the process anyway.
"""

from cpython.object cimport PyObject

cdef extern from *:
    """
    static void nogil_df_make_immortal(PyObject *op) {
    #ifdef Py_GIL_DISABLED
        if (PyObject_IS_GC(op) && PyObject_GC_IsTracked(op)) {
            PyObject_GC_UnTrack(op);
        }
        op->ob_tid = 0;
        op->ob_ref_local = UINT32_MAX;
        op->ob_ref_shared = 0;
    #endif
    }
    """
    void nogil_df_make_immortal(PyObject *op)


def make_immortal(module) -> None:
    """Make the functions of a compiled module immortal, and those of its classes. O(functions).

    To be called while no other thread uses them.
    """
    cdef object value, inner
    name = module.__name__
    for value in module.__dict__.values():
        if getattr(value, "__module__", None) != name:
            continue
        if isinstance(value, type):
            for inner in vars(value).values():
                _make_function_immortal(inner)
        else:
            _make_function_immortal(value)


cdef _make_function_immortal(value):
    if type(value).__name__ in ("cython_function_or_method", "method_descriptor", "wrapper_descriptor",
                                "getset_descriptor", "member_descriptor", "builtin_function_or_method"):
        nogil_df_make_immortal(<PyObject *>value)
