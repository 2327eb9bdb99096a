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

/* The executable's own; false when it has none. */
bool frazil_snapshot_find(frazil_snapshot *snapshot);

/* Check header and tables; NULL, or why it cannot be used. */
const char *frazil_snapshot_open(frazil_snapshot *snapshot);

/* Each NULL, or why it does not fit; `detail` receives what that is about. It was made by another executable or elsewhere; */
const char *frazil_key_elsewhere(const frazil_snapshot *snapshot, frazil_bases *bases, const char **detail);
/* no snapshot fits a process that was started so; */
const char *frazil_key_never(const char **detail);
/* what its imports looked at is different. */
const char *frazil_key_check(const frazil_snapshot *snapshot, const char **detail);

/* As getenv, without what it takes to find libc's; the environment may not change meanwhile. */
const char *frazil_key_variable(const char *name);

/* What the processor can do, as a number. */
uint64_t frazil_key_processor(void);
/* The digest of this process's image; false when it has none. */
bool frazil_key_image(uint8_t digest[32]);

/* Where the dynamic linker keeps what the processor said of the core that asked; 0 where that is not known. */
uintptr_t frazil_key_core(void);

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
