/* A native module whose modules come from C: it registers a storage when it is imported. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "frazil.h"

struct tape {
    char name[64];
    unsigned char data[4096];
    size_t size;
    int asked;
};

static struct tape tape;

static int load(void *context, const char *name, const void **data, size_t *size)
{
    struct tape *held = context;

    held->asked += strcmp(name, "absent") == 0;
    if (strcmp(name, "torn") == 0) {
        *data = "the tape is torn";
        *size = strlen(*data);
        return FRAZIL_ERROR;
    }
    if (strcmp(name, "mute") == 0)
        return FRAZIL_ERROR;
    if (strcmp(name, "nothing") == 0)
        return FRAZIL_FOUND;
    if (strcmp(name, held->name) != 0)
        return FRAZIL_NOT_HERE;
    *data = held->data;
    *size = held->size;
    return FRAZIL_FOUND;
}

static PyObject *put(PyObject *self, PyObject *arguments)
{
    const char *name, *data;
    Py_ssize_t size;

    (void)self;
    if (!PyArg_ParseTuple(arguments, "sy#", &name, &data, &size))
        return NULL;
    snprintf(tape.name, sizeof tape.name, "%s", name);
    tape.size = (size_t)size;
    memcpy(tape.data, data, tape.size);
    Py_RETURN_NONE;
}

static PyObject *asked(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return PyLong_FromLong(tape.asked);
}

static PyMethodDef methods[] = {
    {"put", put, METH_VARARGS, NULL},
    {"asked", asked, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "tape", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit_tape(void)
{
    if (frazil_register_storage(load, &tape) != 0)
        return PyErr_Format(PyExc_RuntimeError, "there is no room for another storage");
    return PyModule_Create(&definition);
}
