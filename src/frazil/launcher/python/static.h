/* Extension modules that are linked into this program.
 *
 * The builder writes the table (a C file that is compiled for each set of modules); without it the table is empty. The modules
 * are not in PyImport_Inittab: sys.builtin_module_names stays the interpreter's, and a file that shadows one of them wins as it
 * does in an ordinary installation. */
#ifndef FRAZIL_STATIC_H
#define FRAZIL_STATIC_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

typedef struct frazil_static_module {
    const char *name; /* dotted, UTF-8 */
    PyObject *(*initialize)(void); /* what CPython calls PyInit_NAME */
} frazil_static_module;

extern const frazil_static_module frazil_static_modules[]; /* sorted by name */
extern const size_t frazil_static_count;

/* Whether the module of that name is linked into this program. */
bool frazil_static_has(const char *name);

/* The module that `spec` (an importlib.machinery.ModuleSpec) describes, created but not executed; as _imp.create_dynamic, of
 * which this is the counterpart. NULL: exception. */
PyObject *frazil_static_create(PyObject *spec);

#endif
