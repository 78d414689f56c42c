"""What all threads share of a module, as free-threaded CPython treats its own: never counted, never freed.

3.13t makes functions, code and classes immortal when the first thread starts, so that threads which call the
same function don't fight for its reference count. It leaves out functions of extension modules, which are of other
types, and of the constants in code (numbers above 256, bytes, tuples, floats) it misses some. They live as long as
the process anyway.
"""

from types import CodeType, FunctionType

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

cdef frozenset COMPILED = frozenset((
    "cython_function_or_method", "method_descriptor", "wrapper_descriptor", "getset_descriptor", "member_descriptor",
    "builtin_function_or_method",
))
cdef frozenset PLAIN = frozenset((bytes, int, float, str))


def make_immortal(module) -> None:
    """Make a module's functions immortal, those of its classes, and the constants of both. O(functions, constants).

    To be called while no other thread uses them.
    """
    cdef object value, inner
    name = module.__name__
    for value in list(module.__dict__.values()):
        _make_constant_immortal(value)
        if getattr(value, "__module__", None) != name:
            continue
        if isinstance(value, type):
            for inner in list(vars(value).values()):
                _make_constant_immortal(inner)
                _make_function_immortal(inner)
        else:
            _make_function_immortal(value)


cdef _make_function_immortal(value):
    if type(value).__name__ in COMPILED:
        nogil_df_make_immortal(<PyObject *>value)
        return
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    if type(value) is FunctionType:
        _make_constant_immortal(value.__defaults__)
        _make_code_immortal(value.__code__)


cdef _make_code_immortal(code):
    for value in code.co_consts:
        if type(value) is CodeType:
            _make_code_immortal(value)
        else:
            _make_constant_immortal(value)


cdef _make_constant_immortal(value):
    """Make it immortal if it is what a literal makes; of a tuple also what is in it."""
    if type(value) is tuple or type(value) is frozenset:
        for inner in value:
            _make_constant_immortal(inner)
    elif type(value) not in PLAIN:
        return
    nogil_df_make_immortal(<PyObject *>value)
