/* A C program with Python inside: it starts the interpreter, calls a function of greeting.py, and prints what comes back. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdio.h>

#include "frazil.h"

static int print_greeting(const char *name)
{
    PyObject *module = PyImport_ImportModule("greeting");
    PyObject *answer = module ? PyObject_CallMethod(module, "greet", "s", name) : NULL;
    const char *text = answer ? PyUnicode_AsUTF8(answer) : NULL;

    if (text)
        puts(text);
    else
        PyErr_Print();
    Py_XDECREF(answer);
    Py_XDECREF(module);
    return text ? 0 : 1;
}

int main(int argc, char **argv)
{
    int failure = frazil_initialize(argc, argv);

    if (failure)
        return failure;
    failure = print_greeting(argc > 1 ? argv[1] : "reader");
    return Py_FinalizeEx() < 0 ? 120 : failure;
}
