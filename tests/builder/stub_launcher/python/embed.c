#include <Python.h>

#include "core.h"

PyObject *module_make(void);

int embed_run(const char *code)
{
    PyImport_AppendInittab("_stub", module_make);
    Py_InitializeEx(0);
    return PyRun_SimpleString(code) ? 1 : Py_FinalizeEx();
}
