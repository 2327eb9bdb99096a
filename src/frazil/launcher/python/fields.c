/* Settings `config.FIELD` become fields of PyPreConfig and PyConfig: see python/fields.h. */
#define PY_SSIZE_T_CLEAN
#include "python/fields.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SETTING "config."

typedef struct field {
    const char *name;
    size_t offset;
} field;

#define IN_PRECONFIG(name) {#name, offsetof(PyPreConfig, name)}
#define IN_CONFIG(name) {#name, offsetof(PyConfig, name)}
#define END {NULL, 0}

static const field preconfig_numbers[]
    = {IN_PRECONFIG(allocator), IN_PRECONFIG(coerce_c_locale), IN_PRECONFIG(coerce_c_locale_warn),
        IN_PRECONFIG(configure_locale), IN_PRECONFIG(dev_mode), IN_PRECONFIG(isolated), IN_PRECONFIG(utf8_mode), END};

static const field numbers[] = {IN_CONFIG(buffered_stdio), IN_CONFIG(bytes_warning), IN_CONFIG(configure_c_stdio),
    IN_CONFIG(dev_mode), IN_CONFIG(dump_refs), IN_CONFIG(faulthandler), IN_CONFIG(import_time), IN_CONFIG(inspect),
    IN_CONFIG(install_signal_handlers), IN_CONFIG(interactive), IN_CONFIG(isolated), IN_CONFIG(malloc_stats),
    IN_CONFIG(parser_debug), IN_CONFIG(pathconfig_warnings), IN_CONFIG(quiet), IN_CONFIG(show_ref_count),
    IN_CONFIG(skip_source_first_line), IN_CONFIG(tracemalloc), IN_CONFIG(user_site_directory), IN_CONFIG(verbose),
    IN_CONFIG(write_bytecode), END};

static const field strings[] = {IN_CONFIG(check_hash_pycs_mode), IN_CONFIG(filesystem_encoding), IN_CONFIG(filesystem_errors),
    IN_CONFIG(program_name), IN_CONFIG(pycache_prefix), IN_CONFIG(stdio_encoding), IN_CONFIG(stdio_errors), END};

static const field lists[] = {IN_CONFIG(warnoptions), IN_CONFIG(xoptions), END};

/* Where the field of that name is in `config`; NULL when `fields` has none. */
static void *place(const field *fields, const char *name, void *config)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return (char *)config + fields->offset;
    return NULL;
}

/* The next setting that names a field, without its prefix. */
static bool next_field(const frazil_core *core, size_t *position, const char **name, const char **value)
{
    while (icecube_next_setting(core->image, position, name, value))
        if (strncmp(*name, SETTING, sizeof SETTING - 1) == 0) {
            *name += sizeof SETTING - 1;
            return true;
        }
    return false;
}

void frazil_set_preconfig_fields(const frazil_core *core, PyPreConfig *config)
{
    const char *name, *value;

    for (size_t position = 0; next_field(core, &position, &name, &value);) {
        int *number = place(preconfig_numbers, name, config);
        if (number)
            *number = atoi(value);
    }
}

static PyStatus append_lines(PyWideStringList *list, const char *lines)
{
    PyStatus status = PyStatus_Ok();

    while (*lines && !PyStatus_Exception(status)) {
        size_t length = strcspn(lines, "\n");
        char *line = strndup(lines, length);
        wchar_t *wide = line ? Py_DecodeLocale(line, NULL) : NULL;

        status = wide ? PyWideStringList_Append(list, wide) : PyStatus_NoMemory();
        PyMem_RawFree(wide);
        free(line);
        lines += length + (lines[length] == '\n');
    }
    return status;
}

static PyStatus set_field(PyConfig *config, const char *name, const char *value)
{
    int *number = place(numbers, name, config);
    wchar_t **string = place(strings, name, config);
    PyWideStringList *list = place(lists, name, config);

    if (number)
        *number = atoi(value);
    if (strcmp(name, "hash_seed") == 0) {
        config->use_hash_seed = 1;
        config->hash_seed = strtoul(value, NULL, 10);
    }
    if (string)
        return PyConfig_SetBytesString(config, string, value);
    return list ? append_lines(list, value) : PyStatus_Ok();
}

PyStatus frazil_set_config_fields(const frazil_core *core, PyConfig *config)
{
    PyStatus status = PyStatus_Ok();
    const char *name, *value;

    for (size_t position = 0; !PyStatus_Exception(status) && next_field(core, &position, &name, &value);)
        status = set_field(config, name, value);
    return status;
}
