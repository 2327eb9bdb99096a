/* Whether a snapshot fits this process. */
#ifndef FRAZIL_WARM_KEY_H
#define FRAZIL_WARM_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warm/format.h"

/* A snapshot whose header and tables were checked. */
typedef struct frazil_snapshot {
    const uint8_t *data;
    uint64_t size;
    uint64_t offset; /* in the executable */
    const snapshot_header *header;
} frazil_snapshot;

#define FRAZIL_OBJECTS_AT_MOST 64

/* Where the objects of the snapshot are in this process, and the program's thread-local block. */
typedef struct frazil_bases {
    uintptr_t object[FRAZIL_OBJECTS_AT_MOST];
    void *thread_block;
    size_t thread_block_size;
} frazil_bases;

/* Find and check the snapshot; NULL, or why there is none that can be used. "" when the executable has none. */
const char *frazil_snapshot_open(frazil_snapshot *snapshot);

/* NULL, or why it does not fit; `detail` receives what that is about. */
const char *frazil_key_check(const frazil_snapshot *snapshot, frazil_bases *bases, const char **detail);

typedef enum frazil_locale {
    FRAZIL_LOCALE_UTF8, /* of a language, or of none that Python knows as such */
    FRAZIL_LOCALE_NONE_UTF8, /* C.UTF-8 and its like: streams are lenient */
    FRAZIL_LOCALE_C, /* Python's UTF-8 mode */
} frazil_locale;

/* Set the locale's character type, and say what it is; NULL, or why the snapshot does not fit it. */
const char *frazil_key_locale(frazil_locale *locale);

/* What the processor can do, as a number. */
uint64_t frazil_key_processor(void);
/* So many processors this process may use. */
unsigned frazil_key_processors(void);

static inline const void *frazil_snapshot_table(const frazil_snapshot *snapshot, snapshot_table table)
{
    return snapshot->data + table.offset;
}

static inline const char *frazil_snapshot_text(const frazil_snapshot *snapshot, uint32_t offset)
{
    return (const char *)snapshot->data + offset;
}

#endif
