// A C++ module: a global with a constructor, templates, exceptions.
#include <Python.h>

#include <map>
#include <stdexcept>
#include <string>

static std::map<std::string, int> table{{"a", 1}};

static PyObject *get(PyObject *, PyObject *arguments)
{
    const char *key;
    if (!PyArg_ParseTuple(arguments, "s", &key))
        return nullptr;
    try {
        return PyLong_FromLong(table.at(key));
    } catch (const std::out_of_range &) {
        PyErr_SetString(PyExc_KeyError, key);
        return nullptr;
    }
}

static PyMethodDef methods[] = {{"get", get, METH_VARARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_map", nullptr, 0, methods, nullptr, nullptr, nullptr, nullptr};

PyMODINIT_FUNC PyInit__map(void)
{
    return PyModule_Create(&definition);
}
