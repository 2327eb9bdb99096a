/* Sparing the collector at exit: see python/embed_exit.h.
 *
 * Theory of operation. What a program imported, functions, classes and their dictionaries, hangs together in cycles, and
 * finalization visits it three times to find that out; for a program with many modules that is a sixth of its time. The visits
 * can be seen only where an object in a cycle has a finalizer: a __del__ method, an open file, a suspended generator. So all
 * objects are looked at once, and only if none has one, gc.freeze() puts them aside. Objects outside of cycles go as ever, by
 * their reference counts. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

#include "python/embed_exit.h"

/* The standard streams have finalizers, but finalization flushes them by itself. Each is three objects. */
#define STREAMS_AT_MOST 18

typedef struct sight {
    PyObject *streams[STREAMS_AT_MOST];
    int stream_count;
    bool finalizer_seen;
} sight;

static void know_stream(sight *seen, const char *name)
{
    PyObject *stream = Py_XNewRef(PySys_GetObject(name));
    static const char *const below[] = {"buffer", "raw"};

    for (int i = 0; stream && stream != Py_None && seen->stream_count < STREAMS_AT_MOST; i++) {
        PyObject *next;
        seen->streams[seen->stream_count++] = stream; /* borrowed: sys keeps it */
        if (i == 2)
            break;
        next = PyObject_GetAttrString(stream, below[i]);
        Py_DECREF(stream);
        stream = next;
    }
    Py_XDECREF(stream);
    PyErr_Clear();
}

/* Finalizing closes a suspended generator, and does nothing to one that has come to its end. */
static bool is_finished_generator(PyObject *object)
{
#if PY_VERSION_HEX < 0x030E0000
    return PyGen_CheckExact(object) && ((PyGenObject *)object)->gi_frame_state > 0; /* FRAME_EXECUTING is 0 */
#else
    (void)object;
    return false;
#endif
}

/* 1 to go on. */
static int look(PyObject *object, void *context)
{
    sight *seen = context;
    PyTypeObject *type = Py_TYPE(object);

    if ((!type->tp_finalize && !type->tp_del) || is_finished_generator(object))
        return 1;
    for (int i = 0; i < seen->stream_count; i++)
        if (seen->streams[i] == object)
            return 1;
    seen->finalizer_seen = true;
    return 0;
}

/* Whether any object that the collector knows has a finalizer; true also when that cannot be found out. */
static bool has_finalizers(PyObject *gc, sight *seen)
{
#if PY_VERSION_HEX >= 0x030C0000
    (void)gc;
    PyUnstable_GC_VisitObjects(look, seen);
    return seen->finalizer_seen;
#else
    PyObject *objects = PyObject_CallMethod(gc, "get_objects", NULL);

    for (Py_ssize_t i = 0; objects && i < PyList_GET_SIZE(objects) && look(PyList_GET_ITEM(objects, i), seen); i++)
        ;
    seen->finalizer_seen |= objects == NULL;
    Py_XDECREF(objects);
    return seen->finalizer_seen;
#endif
}

/* Whether the program watches the collector, or other threads may go on making objects. */
static bool is_watched(PyObject *gc)
{
    PyObject *callbacks = PyObject_GetAttrString(gc, "callbacks");
    PyObject *debug = PyObject_CallMethod(gc, "get_debug", NULL);
    bool watched = !callbacks || !debug || PyObject_Size(callbacks) != 0 || PyObject_IsTrue(debug) != 0;
    PyThreadState *thread = PyThreadState_Get();

    Py_XDECREF(callbacks);
    Py_XDECREF(debug);
    return watched || PyThreadState_Next(PyInterpreterState_ThreadHead(thread->interp)) != NULL;
}

/* What Py_FinalizeEx does first, and does not do again: other threads end, then functions registered with atexit run. Now they
 * have let go of what they held. */
static void end_program(void)
{
    static const char *const steps[][2] = {{"threading", "_shutdown"}, {"atexit", "_run_exitfuncs"}};
    PyObject *modules = PyImport_GetModuleDict();

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        PyObject *module = Py_XNewRef(PyDict_GetItemString(modules, steps[i][0]));
        PyObject *done = module ? PyObject_CallMethod(module, steps[i][1], NULL) : NULL;
        if (module && !done)
            PyErr_WriteUnraisable(module);
        Py_XDECREF(done);
        Py_XDECREF(module);
    }
}

void frazil_spare_collections(void)
{
    static const char *const names[] = {"stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"};
    PyObject *gc;
    sight seen = {0};

    end_program();
    gc = PyImport_ImportModule("gc");
    if (gc && !is_watched(gc)) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            know_stream(&seen, names[i]);
        if (!has_finalizers(gc, &seen))
            Py_XDECREF(PyObject_CallMethod(gc, "freeze", NULL));
    }
    Py_XDECREF(gc);
    PyErr_Clear();
}

/* -- restored processes ----------------------------------------------------------------------------------------------- */

/* A generator in whose code nothing handles an exception: closing it runs none of its code. Each entry of the table begins with
 * a byte whose highest bit is set; from 3.12 on there is one that covers the whole code and turns StopIteration into
 * RuntimeError. */
static bool is_quiet_generator(PyObject *object)
{
    int handlers = 0;

    if (is_finished_generator(object))
        return true;
    if (!PyGen_CheckExact(object))
        return false;
#if PY_VERSION_HEX >= 0x030C0000
    PyCodeObject *code = PyGen_GetCode((PyGenObject *)object);
    handlers = -1;
#else
    PyCodeObject *code = (PyCodeObject *)Py_NewRef((PyObject *)((PyGenObject *)object)->gi_code);
#endif
    for (Py_ssize_t i = 0; i < PyBytes_GET_SIZE(code->co_exceptiontable); i++)
        handlers += (PyBytes_AS_STRING(code->co_exceptiontable)[i] & 0x80) != 0;
    Py_DECREF(code);
    return handlers <= 0;
}

/* Types of modules written in C whose objects do nothing but free memory when they go. */
static bool is_plain_extension(const PyTypeObject *type)
{
    static const char *const modules[]
        = {"functools.", "itertools.", "re.", "collections.", "operator.", "_operator.", "_struct.", "_random.", "random.",
            "_json.", "_csv.", "_thread.", "_queue.", "_ssl.", "_abc.", "_contextvars.", "datetime.", "array.", "decimal.",
            "_hashlib.", "zlib.", "types.", "_typing.", "typing.", "string.", "posix.", "os.", "time.", "_weakref.", "pyexpat.",
            "builtins.", "_sre.", "_functools.", "_collections.", "_opcode.", "ast.", "_ast.", "signal.", "select."};

    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        if (strncmp(type->tp_name, modules[i], strlen(modules[i])) == 0)
            return true;
    return false;
}

static bool can_be_left(PyObject *object, destructor of_classes)
{
    PyTypeObject *type = Py_TYPE(object);

    if ((type->tp_finalize || type->tp_del) && !is_quiet_generator(object))
        return false;
    while (type && PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) && type->tp_dealloc == of_classes)
        type = type->tp_base;
    return type && (!PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) || is_plain_extension(type));
}

/* How classes written in Python free their objects. */
static destructor dealloc_of_classes(void)
{
    PyObject *type = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "left");
    destructor found = type ? ((PyTypeObject *)type)->tp_dealloc : NULL;

    Py_XDECREF(type);
    return found;
}

static void know_streams(sight *seen)
{
    static const char *const names[] = {"stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        know_stream(seen, names[i]);
}

static bool is_stream(const sight *seen, const PyObject *object)
{
    for (int i = 0; i < seen->stream_count; i++)
        if (seen->streams[i] == object)
            return true;
    return false;
}

bool frazil_can_leave(void)
{
    PyObject *gc, *objects = NULL;
    sight seen = {0};
    bool leave;

    end_program();
    gc = PyImport_ImportModule("gc");
    leave = gc && !is_watched(gc);
    if (leave) {
        destructor of_classes = dealloc_of_classes();
        know_streams(&seen);
        objects = PyObject_CallMethod(gc, "get_objects", NULL); /* without those that are frozen */
        leave = objects != NULL;
        for (Py_ssize_t i = 0; leave && i < PyList_GET_SIZE(objects); i++) {
            PyObject *object = PyList_GET_ITEM(objects, i);
            leave = can_be_left(object, of_classes) || is_stream(&seen, object);
        }
    }
    Py_XDECREF(objects);
    Py_XDECREF(gc);
    PyErr_Clear();
    return leave;
}

bool frazil_holds_finalizers(const char **type)
{
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *objects = gc ? PyObject_CallMethod(gc, "get_objects", NULL) : NULL;
    sight seen = {0};
    bool found = objects == NULL;

    know_streams(&seen);
    for (Py_ssize_t i = 0; objects && !found && i < PyList_GET_SIZE(objects); i++) {
        PyObject *object = PyList_GET_ITEM(objects, i);
        PyTypeObject *of = Py_TYPE(object);
        found = (of->tp_finalize || of->tp_del) && !is_quiet_generator(object) && !is_stream(&seen, object);
        *type = of->tp_name;
    }
    Py_XDECREF(objects);
    Py_XDECREF(gc);
    PyErr_Clear();
    return found;
}
