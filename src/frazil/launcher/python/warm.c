/* Making a snapshot of an interpreter, and going on in a restored one (python/warm.h, docs/spec/snapshot.md).
 *
 * A restored process goes on as a child does after fork: PyOS_AfterFork_Child makes locks and thread identities this process's
 * own and runs what modules registered with os.register_at_fork. frazil_runtime.warm sets the rest. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"
#include "python/embed_exit.h"
#include "python/utf8_mode.h"
#include "python/warm.h"
#include "warm/record.h"
#include "warm/restore.h"
#include "warm/warm.h"

extern char **environ;

static bool holds_finalizers; /* the snapshot: its objects must see the end of the program */

/* -- making ----------------------------------------------------------------------------------------------------------- */

/* "file:line" of the Python code that runs. */
static void where(char *text, unsigned long size)
{
    PyObject *type, *value, *traceback;
    PyGILState_STATE held;
    PyFrameObject *frame;

    *text = '\0';
    if (!Py_IsInitialized() || !PyGILState_GetThisThreadState())
        return;
    held = PyGILState_Ensure();
    frame = PyThreadState_GetFrame(PyThreadState_Get());
    PyErr_Fetch(&type, &value, &traceback);
    for (int depth = 0; frame && depth < 64; depth++) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        PyFrameObject *back = PyFrame_GetBack(frame);
        const char *file = PyUnicode_AsUTF8(code->co_filename);
        size_t length = strlen(text);
        if (file && *file == '/')
            snprintf(text + length, size - length, "%s%s:%d", length ? "|" : "", file, PyFrame_GetLineNumber(frame));
        Py_DECREF(code);
        Py_DECREF(frame);
        frame = back;
    }
    Py_XDECREF(frame);
    PyErr_Restore(type, value, traceback);
    PyGILState_Release(held);
}

/* note(kind, name, value): what Python code asked for, which no function of the C library shows. */
static PyObject *note(PyObject *self, PyObject *arguments)
{
    const char *kind, *name;
    PyObject *value;

    (void)self;
    if (!PyArg_ParseTuple(arguments, "syO", &kind, &name, &value))
        return NULL;
    frazil_record_note(kind, name, PyBytes_Check(value) ? PyBytes_AS_STRING(value) : NULL);
    Py_RETURN_NONE;
}

static PyMethodDef note_method = {"note", note, METH_VARARGS, NULL};

static PyObject *call_warm(const char *function, PyObject *argument, PyObject *second, PyObject *third)
{
    PyObject *module = PyImport_ImportModule("frazil_runtime.warm");
    PyObject *callable = module ? PyObject_GetAttrString(module, function) : NULL;
    PyObject *result = callable ? PyObject_CallFunctionObjArgs(callable, argument, second, third, NULL) : NULL;

    Py_XDECREF(callable);
    Py_XDECREF(module);
    return result;
}

static PyObject *asked_modules(void)
{
    PyObject *names = PyList_New(0);

    for (char **at = frazil_warm_modules(); names && *at; at++) {
        PyObject *name = PyUnicode_DecodeFSDefault(*at);
        if (!name || PyList_Append(names, name) < 0)
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

/* The environment as a dictionary of bytes, as the posix module makes it. */
static PyObject *environment(void)
{
    PyObject *result = PyDict_New();

    for (char **at = environ; result && at && *at; at++) {
        const char *equals = strchr(*at, '=');
        PyObject *name = equals ? PyBytes_FromStringAndSize(*at, equals - *at) : NULL;
        PyObject *value = equals ? PyBytes_FromString(equals + 1) : NULL;
        if (name && value)
            PyDict_SetDefault(result, name, value);
        Py_XDECREF(name);
        Py_XDECREF(value);
    }
    return result;
}

static int resume(const frazil_core *core);

int frazil_warm_make(const frazil_core *core)
{
    PyObject *names = asked_modules();
    PyObject *noting = PyCFunction_New(&note_method, NULL);
    PyObject *done = NULL;
    const char *type = "";
    PyThreadState *thread;
    int error;

    frazil_warm_where = where;
    frazil_asked_begin();
    if (names && noting)
        done = call_warm("make", names, noting, NULL);
    frazil_asked_end();
    Py_XDECREF(noting);
    Py_XDECREF(names);
    if (!done) {
        PyErr_Print();
        fflush(stderr);
        _exit(1);
    }
    Py_DECREF(done);
    holds_finalizers = frazil_holds_finalizers(&type);
    if (holds_finalizers)
        frazil_record_note("finalizer", type, NULL);
    Py_XDECREF(call_warm("freeze", NULL, NULL, NULL));
    frazil_warm_resume = resume;
    PyOS_BeforeFork();
    thread = PyThreadState_Get();
    thread->native_thread_id = 0; /* PyOS_AfterFork_Child sets it */
    /* What frames left that have ended. */
    memset(thread->datastack_top, 0, (size_t)((char *)thread->datastack_limit - (char *)thread->datastack_top));
    error = frazil_warm_dump();
    if (error)
        fprintf(stderr, "frazil: warm: the dump cannot be written: %s\n", strerror(error));
    fflush(stderr);
    _exit(error ? 1 : 0);
}

/* -- going on --------------------------------------------------------------------------------------------------------- */

/* Which signals this process ignores: it was started so. Not those that Python ignores by itself, and not libc's own, which
 * posix_spawn leaves ignored. */
static PyObject *ignored_signals(void)
{
    PyObject *numbers = PyList_New(0);
    struct sigaction action;

    for (int number = 1; numbers && number < NSIG; number++) {
        PyObject *value;
        if (number == SIGPIPE || number == SIGXFSZ || number == 32 || number == 33 || sigaction(number, NULL, &action) != 0
            || action.sa_handler != SIG_IGN)
            continue;
        value = PyLong_FromLong(number);
        if (!value || PyList_Append(numbers, value) < 0)
            Py_CLEAR(numbers);
        Py_XDECREF(value);
    }
    return numbers;
}

static int resume(const frazil_core *core)
{
    PyObject *variables, *ignored, *result;

    PyOS_AfterFork_Child();
    core->step("interpreter");
    variables = environment();
    ignored = ignored_signals();
    result = PyUnicode_FromString(frazil_warm_locale_is_lenient() ? "surrogateescape" : "strict");
    if (!frazil_warm_locale_is_c() && !frazil_set_utf8_mode(false)) /* the snapshot was made in the C locale */
        frazil_warm_give_up("Python's UTF-8 mode cannot be set");
    result = variables && ignored && result ? call_warm("resume", variables, result, ignored) : NULL;
    Py_XDECREF(ignored);
    Py_XDECREF(variables);
    if (!result) {
        if (getenv("FRAZIL_DEBUG"))
            PyErr_Print();
        frazil_warm_give_up("the interpreter cannot go on");
    }
    if (PyUnicode_Check(result))
        frazil_warm_give_up(PyUnicode_AsUTF8(result));
    Py_XDECREF(result);
    frazil_warm_settled();
    core->step("entry");
    if (core->mode == FRAZIL_WARMING) {
        Py_XDECREF(call_warm("tell", NULL, NULL, NULL));
        PyErr_Print();
        return Py_FinalizeEx() < 0;
    }
    return frazil_embed_run(core);
}

/* As finalization does; false when the stream cannot be flushed. */
static bool flush(const char *name)
{
    PyObject *stream = PySys_GetObject(name), *closed, *done;
    bool open;

    if (!stream || stream == Py_None)
        return true;
    closed = PyObject_GetAttrString(stream, "closed");
    open = !closed || PyObject_IsTrue(closed) == 0;
    PyErr_Clear();
    Py_XDECREF(closed);
    done = open ? PyObject_CallMethod(stream, "flush", NULL) : Py_NewRef(Py_None);
    if (!done && strcmp(name, "stdout") == 0)
#if PY_VERSION_HEX >= 0x030D0000
        PyErr_FormatUnraisable("Exception ignored on flushing sys.stdout");
#else
        PyErr_WriteUnraisable(stream);
#endif
    PyErr_Clear();
    Py_XDECREF(done);
    return done != NULL;
}

/* Give the collector back what the snapshot holds: as long as the main module is put aside, so is what hangs on it. */
static void unfreeze(void)
{
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *done = gc ? PyObject_CallMethod(gc, "unfreeze", NULL) : NULL;

    Py_XDECREF(done);
    Py_XDECREF(gc);
    PyErr_Clear();
}

bool frazil_warm_leave(int *code)
{
    if (frazil_warm != FRAZIL_WARM_RESTORED)
        return false;
    if (holds_finalizers || !frazil_can_leave()) {
        unfreeze();
        return false;
    }
    if (!flush("stdout"))
        *code = 120;
    flush("stderr");
    return true;
}
