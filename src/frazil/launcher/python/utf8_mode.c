/* Python's UTF-8 mode in an interpreter that runs already (python/utf8_mode.h). */
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>

#if __has_include("internal/pycore_runtime.h")
#include "internal/pycore_runtime.h"
#define HAS_RUNTIME 1
#endif

#include "python/utf8_mode.h"

bool frazil_set_utf8_mode(bool on)
{
    PyObject *flags = PySys_GetObject("flags");
    PyObject *names = flags ? PyObject_GetAttrString((PyObject *)Py_TYPE(flags), "__match_args__") : NULL;

    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++)
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), "utf8_mode") == 0)
            PyStructSequence_SetItem(flags, i, PyLong_FromLong(on));
    Py_XDECREF(names);
    PyErr_Clear();
    /* What C code of the interpreter looks at. Where CPython's own headers are missing it stays as it is: encodings are UTF-8
     * both ways. */
#ifdef HAS_RUNTIME
    _PyRuntime.preconfig.utf8_mode = on;
#endif
    return names != NULL;
}
