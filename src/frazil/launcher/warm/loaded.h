/* Libraries of a restored process: they are mapped, and the dynamic linker does not know them.
 *
 * So the launcher answers for them where programs ask the dynamic linker: dlopen and dlsym, thread-local variables, the list of
 * objects that unwinding goes through. */
#ifndef FRAZIL_WARM_LOADED_H
#define FRAZIL_WARM_LOADED_H

#include <stdbool.h>

#include "warm/key.h"

/* Take over the libraries that the snapshot lists. */
void frazil_loaded_restore(const frazil_snapshot *snapshot);

/* The handle of a library by its path in memfs; NULL when the snapshot does not hold it. */
void *frazil_loaded_handle(const char *name);

/* The path of the library that holds the address, and its first byte; NULL when none does. */
const char *frazil_loaded_at(const void *address, void **base);

#endif
