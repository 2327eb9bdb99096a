/* Entries of sys.path as the settings write them (docs/spec/launcher.md, setting `path`). */
#ifndef FRAZIL_PYTHON_SEARCH_PATH_H
#define FRAZIL_PYTHON_SEARCH_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "core.h"

/* Write the entry of `length` bytes as sys.path has it. Returns whether it lies below the mount. A result that does not fit is
 * cut off, and false. */
bool frazil_search_entry(const frazil_core *core, const char *entry, size_t length, char *path, size_t size);

#endif
