/* Create extension modules that are linked into this program: see python/static.h.
 *
 * Multi-phase modules (PEP 489) need nothing but their definition. For single-phase ones this does what CPython's loader of
 * shared objects does around the call (Python/import.c, create_dynamic): the package context, by which PyModule_Create2 gives
 * a module its full name; __file__; the index of PyState_FindModule; and a copy of the dictionary for a second import. */
#include "python/static.h"

#include <string.h>

static PyObject **copies; /* dictionaries of single-phase modules without state of their own, as they were after the call */

#if PY_VERSION_HEX >= 0x030C0000
/* Weak: the embedding library, which has no static modules, must load without them. */
__attribute__((weak)) const char *_PyImport_SwapPackageContext(const char *context);
__attribute__((weak)) int _PyImport_CheckSubinterpIncompatibleExtensionAllowed(const char *name);
#endif

static const char *swap_context(const char *context)
{
#if PY_VERSION_HEX >= 0x030C0000
    return _PyImport_SwapPackageContext ? _PyImport_SwapPackageContext(context) : NULL;
#else
    const char *former = _Py_PackageContext;
    _Py_PackageContext = context;
    return former;
#endif
}

static bool may_load_single_phase(const char *name)
{
#if PY_VERSION_HEX >= 0x030C0000
    return !_PyImport_CheckSubinterpIncompatibleExtensionAllowed
        || _PyImport_CheckSubinterpIncompatibleExtensionAllowed(name) == 0;
#else
    (void)name;
    return true;
#endif
}

static const frazil_static_module *find(const char *name)
{
    size_t low = 0, high = frazil_static_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, frazil_static_modules[middle].name);
        if (order == 0)
            return &frazil_static_modules[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool frazil_static_has(const char *name)
{
    return find(name) != NULL;
}

/* Call a module's function as CPython does: under the package context, and holding it to its contract. */
static PyObject *call(const frazil_static_module *entry)
{
    const char *former = swap_context(entry->name);
    PyObject *made = entry->initialize();

    swap_context(former);
    if (!made && !PyErr_Occurred())
        return PyErr_Format(PyExc_SystemError, "initialization of %s failed without raising an exception", entry->name);
    if (made && PyErr_Occurred()) {
        PyErr_Clear();
        Py_DECREF(made);
        return PyErr_Format(PyExc_SystemError, "initialization of %s raised unreported exception", entry->name);
    }
    if (made && !Py_TYPE(made)) /* PyModuleDef that has not been through PyModuleDef_Init */
        return PyErr_Format(PyExc_SystemError, "init function of %s returned uninitialized object", entry->name);
    return made;
}

static int keep_copy(const frazil_static_module *entry, PyObject *module)
{
    size_t number = (size_t)(entry - frazil_static_modules);

    if (!copies)
        copies = PyMem_RawCalloc(frazil_static_count, sizeof *copies);
    if (!copies) {
        PyErr_NoMemory();
        return -1;
    }
    Py_XSETREF(copies[number], PyDict_Copy(PyModule_GetDict(module)));
    return copies[number] ? 0 : -1;
}

/* The module again, after it left sys.modules or for another interpreter; a new reference, or NULL without an exception when
 * there is no copy. */
static PyObject *again(const frazil_static_module *entry)
{
    PyObject *copy = copies ? copies[entry - frazil_static_modules] : NULL;
    PyObject *module = copy && may_load_single_phase(entry->name) ? PyModule_New(entry->name) : NULL;

    if (module && PyDict_Update(PyModule_GetDict(module), copy) < 0)
        Py_CLEAR(module);
    return module;
}

/* Finish a module that its function returned whole. Steals `module`. */
static PyObject *finish_single_phase(const frazil_static_module *entry, PyObject *module, PyObject *spec)
{
    PyModuleDef *definition = PyModule_Check(module) ? PyModule_GetDef(module) : NULL;
    PyObject *origin = NULL;
    bool done = false;

    if (!definition) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_SystemError, "initialization of %s did not return an extension module", entry->name);
        goto end;
    }
    if (!may_load_single_phase(entry->name))
        goto end;
    definition->m_base.m_init = entry->initialize;
    origin = PyObject_GetAttrString(spec, "origin");
    if (!origin || PyModule_AddObjectRef(module, "__file__", origin) < 0)
        goto end;
    if (PyState_FindModule(definition) != module && PyState_AddModule(module, definition) < 0)
        goto end;
    done = definition->m_size != -1 || keep_copy(entry, module) == 0;
end:
    Py_XDECREF(origin);
    if (!done)
        Py_CLEAR(module);
    return module;
}

PyObject *frazil_static_create(PyObject *spec)
{
    PyObject *name = PyObject_GetAttrString(spec, "name");
    const char *text = name ? PyUnicode_AsUTF8(name) : NULL;
    const frazil_static_module *entry = text ? find(text) : NULL;
    PyObject *module = NULL;

    if (text && !entry)
        PyErr_Format(PyExc_ImportError, "%s is not linked into this program", text);
    if (entry) {
        module = again(entry);
        if (!module && !PyErr_Occurred())
            module = call(entry);
        else
            entry = NULL; /* nothing to finish */
    }
    if (entry && module) {
        if (PyObject_TypeCheck(module, &PyModuleDef_Type))
            module = PyModule_FromDefAndSpec((PyModuleDef *)module, spec);
        else
            module = finish_single_phase(entry, module, spec);
    }
    Py_XDECREF(name);
    return module;
}
