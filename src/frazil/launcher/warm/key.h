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
    const snapshot_header *header;
    const uint8_t *tables;
} frazil_snapshot;

#define FRAZIL_OBJECTS_AT_MOST 64

/* Where this process has the libraries of the snapshot. */
typedef struct frazil_bases {
    uintptr_t object[FRAZIL_OBJECTS_AT_MOST];
} frazil_bases;

/* Find and check the snapshot; NULL, or why there is none that can be used. "" when the executable has none. */
const char *frazil_snapshot_open(frazil_snapshot *snapshot);

/* NULL, or why it does not fit; `detail` receives what that is about. */
const char *frazil_key_check(const frazil_snapshot *snapshot, frazil_bases *bases, const char **detail);

/* What the processor can do, as a number. */
uint64_t frazil_key_processor(void);
/* Where the dynamic linker keeps what the processor said of the core that asked; 0 where that is not known. */
uintptr_t frazil_key_core(void);
/* So many processors this process may use. */
unsigned frazil_key_processors(void);

static inline const void *frazil_snapshot_table(const frazil_snapshot *snapshot, snapshot_table table)
{
    return snapshot->tables + table.offset;
}

static inline const char *frazil_snapshot_text(const frazil_snapshot *snapshot, uint32_t offset)
{
    const snapshot_table text = snapshot->header->text;

    return (const char *)snapshot->tables + text.offset + (offset < text.count ? offset : 0);
}

#endif
