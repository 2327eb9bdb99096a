#include <Python.h>

#include "core.h"

static PyObject *answer(PyObject *self, PyObject *args)
{
    (void)self;
    (void)args;
    return PyLong_FromLong(core_answer());
}

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_stub", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyObject *module_make(void)
{
    return PyModule_Create(&definition);
}
