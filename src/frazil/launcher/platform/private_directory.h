/* Directories of our own that nobody else can write to, and from which code may be mapped. */
#ifndef FRAZIL_PLATFORM_PRIVATE_DIRECTORY_H
#define FRAZIL_PLATFORM_PRIVATE_DIRECTORY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define FRAZIL_CACHES 2

/* The directory `name` in another, which is closed; -1 when it is not ours alone, or a link. `make`: when it is missing. */
int frazil_private_directory(int parent, const char *name, bool make);

/* The directory frazil/NAME in the cache of that number ($XDG_CACHE_HOME, $HOME/.cache), and its path, which leaves `room`
 * bytes; -1 when it will not do. Never in memfs. */
int frazil_private_cache(int number, const char *name, bool make, char path[PATH_MAX], size_t room);

#endif
