/* A module of one phase with the last name, and a global function, of another. */
#include <Python.h>

static int calls;

int shared_name(void);

int shared_name(void)
{
    return calls;
}

static PyObject *count(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return PyLong_FromLong(shared_name());
}

static PyMethodDef methods[] = {{"calls", count, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_fast", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__fast(void)
{
    PyObject *module = PyModule_Create(&definition);

    calls++;
    if (module && PyModule_AddStringConstant(module, "name_in_creation", PyModule_GetName(module)) < 0)
        Py_CLEAR(module);
    return module;
}
