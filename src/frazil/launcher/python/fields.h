/* Fields of CPython's configuration that the image sets (docs/spec/launcher.md, "Fields"). */
#ifndef FRAZIL_PYTHON_FIELDS_H
#define FRAZIL_PYTHON_FIELDS_H

#include <Python.h>

#include "core.h"

void frazil_set_preconfig_fields(const frazil_core *core, PyPreConfig *config);

PyStatus frazil_set_config_fields(const frazil_core *core, PyConfig *config);

#endif
