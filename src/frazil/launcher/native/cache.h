/* A private directory of libraries on disk, for machines where a memfd cannot be loaded.
 *
 * The first of these that can be had: $XDG_CACHE_HOME/frazil/native, $HOME/.cache/frazil/native, /var/tmp/frazil-UID,
 * /tmp/frazil-UID. It must be a directory of our own that nobody else can write to, from which code may be mapped. Files are
 * named by content, checked byte for byte before each use, and never removed. */
#ifndef FRAZIL_NATIVE_CACHE_H
#define FRAZIL_NATIVE_CACHE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Put a library there unless it is there already, and give its path. `name` is where it came from: equal contents under two
 * names stay two libraries. False when no directory will do. */
bool frazil_native_cache(const char *name, const void *data, size_t size, char path[PATH_MAX]);

#endif
