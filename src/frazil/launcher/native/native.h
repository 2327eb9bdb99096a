/* Native code from memory (docs/spec/launcher.md, "Native code").
 *
 * The launcher defines dlopen, dlmopen, dlerror, dladdr and dladdr1; the dynamic linker prefers these to libc's, for the
 * program and for every library. Libraries of memfs are loaded through memfds, or a private cache directory where that cannot
 * be. */
#ifndef FRAZIL_NATIVE_H
#define FRAZIL_NATIVE_H

#include <stdbool.h>

/* Whether to say on the standard error stream, once for each library, which way it was loaded. */
void frazil_native_set_debug(bool debug);

/* dlopen for a path in memfs. Never unloads what it loaded: the same file gives the same handle as long as its content is the
 * same. NULL leaves a message for dlerror that names the path. */
void *frazil_native_dlopen(const char *path, int flags);

#endif
