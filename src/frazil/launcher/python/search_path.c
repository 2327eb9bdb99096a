/* Entries of sys.path: see python/search_path.h. */
#include "python/search_path.h"

#include <stdio.h>
#include <string.h>

#include "memfs/memfs.h"

#define ORIGIN "$ORIGIN"
#define ORIGIN_LENGTH (sizeof ORIGIN - 1)

static bool is_relative_to_origin(const char *entry, size_t length)
{
    return length >= ORIGIN_LENGTH && memcmp(entry, ORIGIN, ORIGIN_LENGTH) == 0
        && (length == ORIGIN_LENGTH || entry[ORIGIN_LENGTH] == '/');
}

bool frazil_search_entry(const frazil_core *core, const char *entry, size_t length, char *path, size_t size)
{
    const char *slash = strrchr(core->executable, '/');
    int written;

    if (is_relative_to_origin(entry, length) && slash) {
        int origin = (int)(slash - core->executable);
        /* A program that stands in the root directory has an empty origin, which the slash of the rest completes. */
        const char *root = origin == 0 && length == ORIGIN_LENGTH ? "/" : "";
        snprintf(
            path, size, "%.*s%s%.*s", origin, core->executable, root, (int)(length - ORIGIN_LENGTH), entry + ORIGIN_LENGTH);
        return false;
    }
    if (length > 0 && (*entry == '/' || *entry == '$')) {
        snprintf(path, size, "%.*s", (int)length, entry);
        return false;
    }
    written = snprintf(path, size, FRAZIL_MOUNT "%s%.*s", length ? "/" : "", (int)length, entry);
    return written >= 0 && (size_t)written < size;
}
