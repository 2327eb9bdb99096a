/* A module of two phases that looks at its __file__ while it is executed. */
#include <Python.h>

#include "answer.h"

int shared_name(void); /* the other module has one too */

int shared_name(void)
{
    return ANSWER;
}

static PyObject *answer(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return PyLong_FromLong(shared_name());
}

static int execute(PyObject *module)
{
    PyObject *file = PyObject_GetAttrString(module, "__file__");

    int done = file ? PyModule_AddObjectRef(module, "file_while_executed", file) : -1;

    Py_XDECREF(file);
    return done;
}

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_fast",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__fast(void)
{
    return PyModuleDef_Init(&definition);
}
