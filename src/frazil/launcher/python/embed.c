/* The Python-facing part of the launcher: from the image's settings to a running interpreter, and the entry's exit code.
 *
 * The start is a list of small steps with one point, "interpreter ready, entry not yet run", at which nothing about this
 * process has been kept but what frazil_runtime.boot.set_process can set again. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core.h"
#include "memfs/memfs.h"
#include "python/embed_exit.h"
#include "python/fields.h"
#include "python/module.h"
#include "python/search_path.h"
#include "python/warm.h"

#define PREFIX FRAZIL_MOUNT

/* Defined in launchers of executables that were built warm. */
#pragma weak frazil_warm_make
#pragma weak frazil_warm_leave

static const char *setting(const frazil_core *core, const char *name)
{
    const char *value = icecube_setting(core->image, name);

    return value ? value : "";
}

static bool is_set(const frazil_core *core, const char *name)
{
    return strcmp(setting(core, name), "1") == 0;
}

/* -- frozen table ----------------------------------------------------------------------------------------------------- */

#define BOOT_MODULES_AT_MOST 16
static struct _frozen frozen_table[BOOT_MODULES_AT_MOST + 1];
static char frozen_names[BOOT_MODULES_AT_MOST][64];

static bool freeze(const frazil_core *core, const char *name, struct _frozen *entry)
{
    icecube_module module;
    icecube_node code;
    icecube_error error = {"the image has no such module", 0};

    if (icecube_find_module(core->image, name, strlen(name), &module, &error) != ICECUBE_FOUND
        || icecube_node_at(core->image, module.code_node, &code, &error) != ICECUBE_FOUND
        || icecube_verify(core->image, &code, &error) != ICECUBE_FOUND) {
        core->damaged(name, &error);
        return false;
    }
    if (!code.data || code.encoding != ICECUBE_ENCODING_RAW || code.stored_size <= ICECUBE_PYC_HEADER_SIZE
        || code.stored_size > INT_MAX)
        return true;
    entry->name = name;
    entry->code = code.data + ICECUBE_PYC_HEADER_SIZE;
    entry->size = (int)(code.stored_size - ICECUBE_PYC_HEADER_SIZE);
    entry->is_package = (module.flags & ICECUBE_MODULE_PACKAGE) != 0;
    return true;
}

/* Put the boot modules into CPython's table, their code straight from the mapping. CPython searches the table linearly on every
 * import, so it holds only what is needed before the importer stands. */
static bool fill_frozen_table(const frazil_core *core)
{
    const char *list = setting(core, "boot");

    for (int i = 0; *list && i < BOOT_MODULES_AT_MOST; i++) {
        size_t length = strcspn(list, ":");

        snprintf(frozen_names[i], sizeof *frozen_names, "%.*s", (int)length, list);
        if (!freeze(core, frozen_names[i], &frozen_table[i]))
            return false;
        list += length + (list[length] == ':');
    }
    PyImport_FrozenModules = frozen_table;
    return true;
}

/* -- configuration ---------------------------------------------------------------------------------------------------- */

static PyStatus preinitialize(const frazil_core *core)
{
    PyPreConfig config;
    bool application = core->mode != FRAZIL_INTERPRETER;

    PyPreConfig_InitPythonConfig(&config);
    config.isolated = application && !is_set(core, "environment");
    config.use_environment = is_set(core, "environment");
    /* Coercion would change LC_CTYPE in the environment of our children. UTF-8 mode does for the C locale what it is for. */
    config.coerce_c_locale = 0;
    config.parse_argv = !application;
    frazil_set_preconfig_fields(core, &config);
    return application ? Py_PreInitialize(&config) : Py_PreInitializeFromBytesArgs(&config, core->argc, core->argv);
}

static PyStatus set_string(PyConfig *config, wchar_t **field, const char *value)
{
    return PyConfig_SetBytesString(config, field, value);
}

/* sys.path, of interpreters that the program makes (PEP 734) too. What the first one needs before its importer stands is
 * frozen. */
static PyStatus set_search_paths(const frazil_core *core, PyConfig *config)
{
    const char *list = setting(core, "path");
    char entry[PATH_MAX];
    PyStatus status = PyStatus_Ok();

    for (bool more = true; more && !PyStatus_Exception(status);) {
        size_t length = strcspn(list, ":");
        frazil_search_entry(core, list, length, entry, sizeof entry);
        wchar_t *wide = Py_DecodeLocale(entry, NULL);
        status = wide ? PyWideStringList_Append(&config->module_search_paths, wide) : PyStatus_NoMemory();
        PyMem_RawFree(wide);
        more = list[length] == ':';
        list += length + more;
    }
    return status;
}

/* CPython's getpath runs whatever is set beforehand, but what is set it does not compute. `home` keeps it from looking for
 * pyvenv.cfg and landmark files around the executable; it must not hold a colon, which would split it. */
static PyStatus set_paths(const frazil_core *core, PyConfig *config)
{
    char own[64], stdlib[PATH_MAX];
    const char *named = setting(core, "stdlib");
    PyStatus status = PyStatus_Ok();

    snprintf(own, sizeof own, "lib/python%s", setting(core, "python"));
    named = *named ? named : own;
    frazil_search_entry(core, named, strlen(named), stdlib, sizeof stdlib);
    const struct {
        wchar_t **field;
        const char *value;
    } strings[] = {
        {&config->executable, core->executable},
        {&config->base_executable, core->executable},
        {&config->prefix, PREFIX},
        {&config->exec_prefix, PREFIX},
        {&config->base_prefix, PREFIX},
        {&config->base_exec_prefix, PREFIX},
        {&config->home, "/memfs"},
        {&config->platlibdir, "lib"},
        {&config->stdlib_dir, stdlib},
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings && !PyStatus_Exception(status); i++)
        status = set_string(config, strings[i].field, strings[i].value);
    config->module_search_paths_set = 1;
    return PyStatus_Exception(status) ? status : set_search_paths(core, config);
}

/* Initialising imports zipimport, which imports time, which opens the time zone file; the program may need neither. As long as
 * CPython lets initialisation stop in the middle (it goes on by _Py_InitializeMain until 3.13), zipimport is kept out, and
 * frazil_runtime.boot imports it when a path entry asks for it. */
static PyStatus initialize_without_zipimport(PyConfig *config)
{
#if PY_VERSION_HEX < 0x030E0000
    PyStatus status;
    PyObject *modules;

    config->_init_main = 0;
    status = Py_InitializeFromConfig(config);
    if (PyStatus_Exception(status))
        return status;
    modules = PyImport_GetModuleDict();
    if (PyDict_SetItemString(modules, "zipimport", Py_None) < 0)
        return PyStatus_NoMemory();
    status = _Py_InitializeMain();
    if (!PyStatus_Exception(status) && PyDict_DelItemString(modules, "zipimport") < 0)
        return PyStatus_Error("sys.modules has lost zipimport");
    return status;
#else
    return Py_InitializeFromConfig(config);
#endif
}

static PyStatus initialize(const frazil_core *core)
{
    PyConfig config;
    PyStatus status;
    bool application = core->mode != FRAZIL_INTERPRETER;

    PyConfig_InitPythonConfig(&config);
    if (application) {
        config.isolated = !is_set(core, "environment"); /* isolated means without environment, whatever comes below */
        config.safe_path = 1;
        config.parse_argv = 0;
    }
    config.use_environment = is_set(core, "environment");
    config.user_site_directory = 0;
    config.site_import = 0; /* frazil_runtime.boot imports site when asked to: sys.path is not set before */
    config.write_bytecode = 0;
    config.pathconfig_warnings = 0;
    config.use_frozen_modules = 1;
    config.optimization_level = atoi(setting(core, "optimize"));
    if (*setting(core, "hash-seed")) {
        config.use_hash_seed = 1;
        config.hash_seed = strtoul(setting(core, "hash-seed"), NULL, 10);
    }
    if (core->debug_import)
        config.import_time = 1;

    status = PyConfig_SetBytesArgv(&config, core->argc, core->argv);
    if (!PyStatus_Exception(status))
        status = set_paths(core, &config);
    if (!PyStatus_Exception(status))
        status = frazil_set_config_fields(core, &config);
    if (!PyStatus_Exception(status))
        status = initialize_without_zipimport(&config);
    PyConfig_Clear(&config);
    return status;
}

/* -- running ---------------------------------------------------------------------------------------------------------- */

static PyObject *call_boot(const char *function, const char *format, ...)
{
    PyObject *boot = PyImport_ImportModule("frazil_runtime.boot");
    PyObject *callable = boot ? PyObject_GetAttrString(boot, function) : NULL;
    PyObject *arguments = NULL, *result = NULL;
    va_list values;

    va_start(values, format);
    if (callable)
        arguments = Py_VaBuildValue(format, values);
    va_end(values);
    if (arguments)
        result = PyObject_CallObject(callable, arguments);
    Py_XDECREF(arguments);
    Py_XDECREF(callable);
    Py_XDECREF(boot);
    return result;
}

/* Run the code of the chosen entry in __main__, from C, so that tracebacks start with the program's own frames. */
static PyObject *run_entry(const frazil_core *core)
{
    char name[64];
    const char *module, *kind;
    PyObject *code, *dictionary, *result;

    snprintf(name, sizeof name, "entry.%d.module", core->entry);
    module = setting(core, name);
    snprintf(name, sizeof name, "entry.%d.kind", core->entry);
    kind = setting(core, name);

    code = call_boot("prepare_main", "(ss)", module, kind);
    if (!code)
        return NULL;
    dictionary = PyModule_GetDict(PyImport_AddModule("__main__"));
    Py_INCREF(dictionary);
    result = PyEval_EvalCode(code, dictionary, dictionary);
    Py_DECREF(dictionary);
    Py_DECREF(code);
    return result;
}

/* What the shell expects of a program that Ctrl-C ended: death by SIGINT, as CPython's main program does it. */
static int die_by_sigint(void)
{
    PyOS_setsig(SIGINT, SIG_DFL);
    kill(getpid(), SIGINT);
    return 128 + SIGINT;
}

/* The exit code that a SystemExit asks for; prints one that is no number, as CPython does. Clears the exception. */
static int system_exit_code(void)
{
    PyObject *type, *value, *traceback, *wanted;
    int code = 0;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    wanted = PyObject_GetAttrString(value, "code");
    PyErr_Clear();
    if (wanted && PyLong_Check(wanted)) {
        code = (int)PyLong_AsLong(wanted);
        PyErr_Clear();
    } else if (wanted && wanted != Py_None) {
        PyObject *stream = PySys_GetObject("stderr");
        if (stream && stream != Py_None) {
            PyFile_WriteObject(wanted, stream, Py_PRINT_RAW);
        } else {
            PyObject_Print(wanted, stderr, Py_PRINT_RAW);
            fflush(stderr);
        }
        PySys_WriteStderr("\n");
        PyErr_Clear();
        code = 1;
    }
    Py_XDECREF(wanted);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return code;
}

static int finish(PyObject *result)
{
    bool interrupted = false;
    int code = 0;

    if (!result && PyErr_ExceptionMatches(PyExc_SystemExit)) {
        code = system_exit_code();
    } else if (!result) {
        interrupted = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0;
        PyErr_Print();
        code = 1;
    }
    Py_XDECREF(result);
    if (frazil_warm_leave && frazil_warm_leave(&code))
        return interrupted ? die_by_sigint() : code;
    frazil_spare_collections();
    if (Py_FinalizeEx() < 0)
        code = 120; /* as CPython: the streams could not be flushed */
    return interrupted ? die_by_sigint() : code;
}

static int failed(const frazil_core *core, PyStatus status)
{
    if (PyStatus_IsExit(status))
        return status.exitcode;
    fprintf(stderr, "%s: Python cannot start: %s%s%s\n", core->name, status.func ? status.func : "", status.func ? ": " : "",
        status.err_msg ? status.err_msg : "unknown error");
    return FRAZIL_EXIT_DAMAGED;
}

int frazil_embed_run(const frazil_core *core)
{
    if (core->mode == FRAZIL_INTERPRETER)
        return Py_RunMain();
    if (core->mode == FRAZIL_MULTIPROCESSING)
        return finish(call_boot("run_multiprocessing_child", "()"));
    return finish(run_entry(core));
}

/* Up to "interpreter ready, entry not yet run"; false with the exit code after a message. */
static bool start(const frazil_core *core, int *code)
{
    PyStatus status;
    PyObject *result;

    *code = FRAZIL_EXIT_DAMAGED;
    if (!fill_frozen_table(core))
        return false;
    frazil_module_register(core);
    status = preinitialize(core);
    if (!PyStatus_Exception(status))
        status = initialize(core);
    if (PyStatus_Exception(status)) {
        *code = failed(core, status);
        return false;
    }
    core->step("interpreter");

    result = call_boot("install", "()");
    if (!result)
        goto failure;
    Py_DECREF(result);
    /* The boot modules are the image's from now on; a new importlib (importlib.reload) would take them for CPython's own. */
    PyImport_FrozenModules = NULL;
    frazil_memfs_trim();
    core->step("importer");

    /* Interpreter ready, entry not yet run. */
    result = call_boot("set_process", "()");
    if (!result)
        goto failure;
    Py_DECREF(result);
    core->step("entry");
    return true;

failure:
    *code = finish(NULL);
    return false;
}

int frazil_embed_main(const frazil_core *core)
{
    int code;

    if (!start(core, &code))
        return code;
    return core->mode == FRAZIL_WARMING ? frazil_warm_make(core) : frazil_embed_run(core);
}

int frazil_embed_start(const frazil_core *core)
{
    int code;

    if (start(core, &code))
        return 0;
    return code ? code : FRAZIL_EXIT_DAMAGED; /* not even SystemExit(0) leaves an interpreter to the caller */
}
