/* The built-in module _frazil: see python/module.h. Lookup is a search in the image's index, loading is unmarshalling from the
 * mapping. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <marshal.h>
#include <string.h>

#include "core.h"
#include "memfs/memfs.h"
#include "python/module.h"
#include "python/search_path.h"
#include "python/static.h"
#include "storages.h"

#define MOUNT_PREFIX FRAZIL_MOUNT "/"
#define ROOTS_AT_MOST 32

static const frazil_core *core;
static char roots[ROOTS_AT_MOST][256]; /* the sys.path entries of the settings, "" after the last */

static PyObject *damaged(PyObject *type, const char *what, const icecube_error *error)
{
    return PyErr_Format(type, "this executable is damaged: %s: %s (at byte %llu of the image)", what, error->problem,
        (unsigned long long)error->offset);
}

/* The first `length` bytes of a node's path, as the program sees them. */
static PyObject *memfs_path(const icecube_node *node, size_t length)
{
    char path[sizeof MOUNT_PREFIX + ICECUBE_MAX_PATH];

    memcpy(path, MOUNT_PREFIX, sizeof MOUNT_PREFIX - 1);
    memcpy(path + sizeof MOUNT_PREFIX - 1, node->path, length);
    return PyUnicode_DecodeFSDefaultAndSize(path, (Py_ssize_t)(sizeof MOUNT_PREFIX - 1 + length));
}

/* Whether a path entry names that directory; the mount itself stands there without a slash. */
static bool names_directory(const char *entry, Py_ssize_t length, const icecube_node *directory)
{
    const size_t prefix = sizeof MOUNT_PREFIX - 1;

    if (directory->path_length == 0)
        return strcmp(entry, FRAZIL_MOUNT) == 0;
    return (size_t)length == prefix + directory->path_length && memcmp(entry, MOUNT_PREFIX, prefix) == 0
        && memcmp(entry + prefix, directory->path, directory->path_length) == 0;
}

static bool is_root(const char *entry)
{
    for (int i = 0; i < ROOTS_AT_MOST && *roots[i]; i++)
        if (strcmp(entry, roots[i]) == 0)
            return true;
    return false;
}

/* Whether a directory that names_directory or is_root knows has the names that it has in the image. */
static bool is_unchanged(const char *entry)
{
    size_t length = strlen(entry);

    if (length < sizeof MOUNT_PREFIX)
        return frazil_memfs_is_unchanged("", 0);
    return frazil_memfs_is_unchanged(entry + sizeof MOUNT_PREFIX - 1, length - (sizeof MOUNT_PREFIX - 1));
}

typedef enum reach {
    REACH_FAILED = -1, /* exception */
    REACH_NO, /* something that the image cannot answer for comes first */
    REACH_YES,
    REACH_CHANGED, /* the program has changed directories on the way, or the module */
} reach;

/* Whether the search along `path` comes to `directory` before anything that the image cannot answer for: a real directory, or
 * one of memfs that is neither a root nor it. Then importlib's own PathFinder must search. */
static reach reaches(PyObject *path, const icecube_node *directory)
{
    PyObject *entries = PySequence_Fast(path, "the path must be a sequence");
    bool changed = frazil_memfs_is_changed(), changed_before = false;
    reach found = REACH_NO;

    if (!entries)
        return REACH_FAILED;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(entries); i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(entries, i);
        Py_ssize_t length;
        const char *entry = PyUnicode_Check(item) ? PyUnicode_AsUTF8AndSize(item, &length) : NULL;

        if (!entry) {
            PyErr_Clear();
            break;
        }
        bool reached = names_directory(entry, length, directory);
        if (!reached && !is_root(entry))
            break;
        changed_before = changed_before || (changed && !is_unchanged(entry));
        if (reached) {
            found = changed_before ? REACH_CHANGED : REACH_YES;
            break;
        }
    }
    Py_DECREF(entries);
    return found;
}

/* Whether the module's own file is as it was, and the directory that it stands in. */
static bool file_is_unchanged(const icecube_module *module)
{
    icecube_node file;
    icecube_error error;

    if (!frazil_memfs_is_changed())
        return true;
    return icecube_node_at(core->image, module->file_node, &file, &error) == ICECUBE_FOUND
        && frazil_memfs_is_unchanged(file.path, file.path_length)
        && frazil_memfs_is_unchanged(file.path, file.base_offset ? file.base_offset - 1 : 0);
}

/* (flags, file, cached, directory, code): see find_doc. */
static PyObject *describe(const icecube_module *module, const char *name)
{
    icecube_node file, code;
    icecube_error error;
    bool has_code = module->code_node != ICECUBE_NO_NODE;

    if (icecube_node_at(core->image, module->file_node, &file, &error) != ICECUBE_FOUND
        || (has_code && icecube_node_at(core->image, module->code_node, &code, &error) != ICECUBE_FOUND))
        return damaged(PyExc_ImportError, name, &error);
    return Py_BuildValue("(INNNI)", module->flags, memfs_path(&file, file.path_length),
        has_code ? memfs_path(&code, code.path_length) : Py_NewRef(Py_None),
        memfs_path(&file, file.base_offset ? file.base_offset - 1 : 0), module->code_node);
}

PyDoc_STRVAR(find_doc,
    "find(name, path) -> (flags, file, cached, directory, code), None or False\n\n"
    "The module that the search for `name` along `path` (a sequence of str) comes to, if the image can tell; False: it could,\n"
    "had the program not changed the files there.\n"
    "flags: 1 package, 2 extension module. file, cached (None for extension modules) and directory (of the file) are paths\n"
    "in memfs; code is what load_code() wants. ImportError: the image is damaged.");

static PyObject *find(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    icecube_module module;
    icecube_node directory;
    icecube_error error;
    icecube_status status;
    Py_ssize_t length;
    const char *name;
    reach reached;

    (void)self;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "find() takes 2 arguments, %zd given", count);
    name = PyUnicode_AsUTF8AndSize(arguments[0], &length);
    if (!name) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeError))
            return NULL;
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    status = icecube_find_module(core->image, name, (size_t)length, &module, &error);
    if (status == ICECUBE_ABSENT)
        Py_RETURN_NONE;
    if (status != ICECUBE_FOUND || icecube_node_at(core->image, module.dir_node, &directory, &error) != ICECUBE_FOUND)
        return damaged(PyExc_ImportError, name, &error);
    reached = reaches(arguments[1], &directory);
    if (reached == REACH_FAILED)
        return NULL;
    if (reached == REACH_NO)
        Py_RETURN_NONE;
    if (reached == REACH_CHANGED || !file_is_unchanged(&module))
        Py_RETURN_FALSE;
    return describe(&module, name);
}

PyDoc_STRVAR(record_doc,
    "record(name) -> (flags, file, cached, directory, code) or None\n\n"
    "The image's record of that name, wherever it stands; see find().");

static PyObject *record(PyObject *self, PyObject *argument)
{
    icecube_module module;
    icecube_error error;
    icecube_status status;
    Py_ssize_t length;
    const char *name = PyUnicode_AsUTF8AndSize(argument, &length);

    (void)self;
    if (!name)
        return NULL;
    status = icecube_find_module(core->image, name, (size_t)length, &module, &error);
    if (status == ICECUBE_ABSENT)
        Py_RETURN_NONE;
    return status == ICECUBE_FOUND ? describe(&module, name) : damaged(PyExc_ImportError, name, &error);
}

PyDoc_STRVAR(load_code_doc,
    "load_code(code) -> code object\n\n"
    "Unmarshal a module's code from the mapping, once its checksum holds. ImportError: the image is damaged.");

static PyObject *load_code(PyObject *self, PyObject *argument)
{
    unsigned long number = PyLong_AsUnsignedLong(argument);
    icecube_node node;
    icecube_error error;
    PyObject *code;

    (void)self;
    if (number == (unsigned long)-1 && PyErr_Occurred())
        return NULL;
    if (number >= core->image->header.node_count)
        return PyErr_Format(PyExc_ValueError, "%lu is no code in the image", number);
    if (icecube_node_at(core->image, (uint32_t)number, &node, &error) != ICECUBE_FOUND)
        return damaged(PyExc_ImportError, "a module's code", &error);
    if (!node.data || node.encoding != ICECUBE_ENCODING_RAW || node.stored_size <= ICECUBE_PYC_HEADER_SIZE)
        return PyErr_Format(PyExc_ValueError, "%lu is no code in the image", number);
    if (icecube_verify(core->image, &node, &error) != ICECUBE_FOUND) {
        char path[256];
        snprintf(path, sizeof path, "%.*s", (int)node.path_length, node.path);
        return damaged(PyExc_ImportError, path, &error);
    }
    code = PyMarshal_ReadObjectFromString(
        (const char *)node.data + ICECUBE_PYC_HEADER_SIZE, (Py_ssize_t)(node.stored_size - ICECUBE_PYC_HEADER_SIZE));
    if (code && !PyCode_Check(code)) {
        Py_DECREF(code);
        return PyErr_Format(PyExc_ImportError, "node %lu of the image holds no code", number);
    }
    return code;
}

PyDoc_STRVAR(process_doc,
    "process() -> (executable, argv, application)\n\n"
    "What this process was started as: its absolute path, its arguments, and whether they are the application's (else they\n"
    "are an interpreter's, and CPython takes sys.argv from them).");

static PyObject *process(PyObject *self, PyObject *unused)
{
    PyObject *argv = PyList_New(core->argc);

    (void)self;
    (void)unused;
    for (int i = 0; argv && i < core->argc; i++) {
        PyObject *argument = PyUnicode_DecodeFSDefault(core->argv[i]);
        if (!argument) {
            Py_CLEAR(argv);
            break;
        }
        PyList_SET_ITEM(argv, i, argument);
    }
    return argv ? Py_BuildValue("(NNO)", PyUnicode_DecodeFSDefault(core->executable), argv,
                      core->mode == FRAZIL_INTERPRETER ? Py_False : Py_True)
                : NULL;
}

PyDoc_STRVAR(preload_doc,
    "preload(path)\n\n"
    "Load a shared library, so that those loaded later find it by its SONAME. ImportError: it cannot be loaded.");

static PyObject *preload(PyObject *self, PyObject *argument)
{
    PyObject *path;

    (void)self;
    if (!PyUnicode_FSConverter(argument, &path))
        return NULL;
    if (!dlopen(PyBytes_AS_STRING(path), RTLD_LAZY))
        PyErr_Format(PyExc_ImportError, "%s", dlerror());
    Py_DECREF(path);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(settings_doc, "settings() -> dict\n\nThe image's settings (docs/spec/launcher.md).");

static PyObject *settings(PyObject *self, PyObject *unused)
{
    PyObject *result = PyDict_New();
    const char *name, *value;

    (void)self;
    (void)unused;
    for (size_t position = 0; result && icecube_next_setting(core->image, &position, &name, &value);) {
        PyObject *text = PyUnicode_DecodeFSDefault(value);
        if (!text || PyDict_SetItemString(result, name, text) < 0)
            Py_CLEAR(result);
        Py_XDECREF(text);
    }
    return result;
}

PyDoc_STRVAR(load_registered_doc,
    "load_registered(name, limit) -> bytes or None\n\n"
    "Ask the C functions that are registered as storages (frazil.h). OSError: one of them is broken, or has more than `limit`\n"
    "bytes.");

static PyObject *load_registered(PyObject *self, PyObject *arguments)
{
    const char *name;
    const void *data = NULL;
    size_t size = 0;
    Py_ssize_t limit;
    PyObject *reason;

    (void)self;
    if (!PyArg_ParseTuple(arguments, "sn:load_registered", &name, &limit))
        return NULL;
    switch (frazil_ask_storages(name, &data, &size)) {
    case FRAZIL_FOUND:
        if (!data || size > (size_t)limit)
            return PyErr_Format(PyExc_OSError, data ? "it has more than %zd bytes" : "it found nothing", limit);
        return PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
    case FRAZIL_NOT_HERE:
        Py_RETURN_NONE;
    default:
        break;
    }
    reason = data ? PyUnicode_DecodeUTF8(data, (Py_ssize_t)(size < 1000 ? size : 1000), "replace")
                  : PyUnicode_FromString("it does not say why");
    if (reason)
        PyErr_SetObject(PyExc_OSError, reason);
    Py_XDECREF(reason);
    return NULL;
}

PyDoc_STRVAR(
    is_static_doc, "is_static(name) -> bool\n\nWhether the extension module of that name is linked into this program.");

static PyObject *is_static(PyObject *self, PyObject *argument)
{
    const char *name = PyUnicode_AsUTF8(argument);

    (void)self;
    return name ? PyBool_FromLong(frazil_static_has(name)) : NULL;
}

PyDoc_STRVAR(create_static_doc,
    "create_static(spec) -> module\n\n"
    "Create, and do not execute, an extension module that is linked into this program; as _imp.create_dynamic.");

static PyObject *create_static(PyObject *self, PyObject *spec)
{
    (void)self;
    return frazil_static_create(spec);
}

PyDoc_STRVAR(unchanged_doc,
    "unchanged(path) -> bool\n\n"
    "Whether the file of the image at that path (str, \"/memfs:/app/x.py\") has the content that it had.");

static PyObject *unchanged(PyObject *self, PyObject *path)
{
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(path, &length);
    const size_t prefix = sizeof MOUNT_PREFIX - 1;

    (void)self;
    if (!text)
        return NULL;
    if ((size_t)length < prefix || memcmp(text, MOUNT_PREFIX, prefix) != 0)
        Py_RETURN_FALSE;
    return PyBool_FromLong(!frazil_memfs_is_changed() || frazil_memfs_is_unchanged(text + prefix, (size_t)length - prefix));
}

static PyMethodDef methods[] = {
    {"find", (PyCFunction)(void (*)(void))find, METH_FASTCALL, find_doc},
    {"record", record, METH_O, record_doc},
    {"load_code", load_code, METH_O, load_code_doc},
    {"process", process, METH_NOARGS, process_doc},
    {"load_registered", load_registered, METH_VARARGS, load_registered_doc},
    {"unchanged", unchanged, METH_O, unchanged_doc},
    {"preload", preload, METH_O, preload_doc},
    {"settings", settings, METH_NOARGS, settings_doc},
    {"is_static", is_static, METH_O, is_static_doc},
    {"create_static", create_static, METH_O, create_static_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_frazil",
    .m_doc = "The image that this program carries.",
    .m_size = 0,
    .m_methods = methods,
};

static PyObject *initialize(void)
{
    return PyModuleDef_Init(&definition);
}

/* Keep the sys.path entries of the settings as sys.path spells them. */
static void remember_roots(void)
{
    const char *at = icecube_setting(core->image, "path");

    for (int i = 0; at && *at && i < ROOTS_AT_MOST; i++) {
        size_t length = strcspn(at, ":");
        if (!frazil_search_entry(core, at, length, roots[i], sizeof *roots))
            snprintf(roots[i], sizeof *roots, "?"); /* not ours, or too long to shortcut: PathFinder searches */
        at += length + (at[length] == ':');
    }
}

void frazil_module_register(const frazil_core *running)
{
    core = running;
    remember_roots();
    PyImport_AppendInittab("_frazil", initialize);
}
