/* For native modules, and C programs that link the launcher: where modules come from that are not in the executable
 * (docs/spec/pmm.md, "Functions"). Needs no Python.h. */
#ifndef FRAZIL_H
#define FRAZIL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a storage answers. */
#define FRAZIL_FOUND 1 /* *data and *size are the module's bytes, as `frazil pmm compile` writes them */
#define FRAZIL_NOT_HERE 0 /* the next storage is asked, then the executable */
#define FRAZIL_ERROR (-1) /* the import fails; *data and *size may be a text that says why */

/* Look for a module by its dotted name. The bytes must stay as they are until the function is called again; memory that can be
 * addressed, such as mapped flash, need not be copied. Never called by two threads at once. */
typedef int (*frazil_load)(void *context, const char *name, const void **data, size_t *size);

/* Ask `load` for modules from now on; `context` is passed to it. May be called before Python starts, from any thread.
 * 0; or -1 when there is no room for more. */
int frazil_register_storage(frazil_load load, void *context);

#ifdef __cplusplus
}
#endif

#endif
