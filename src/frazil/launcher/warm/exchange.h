/* The exchange: this process's memory for the snapshot's. */
#ifndef FRAZIL_WARM_EXCHANGE_H
#define FRAZIL_WARM_EXCHANGE_H

#include <stdint.h>

#include "warm/key.h"

/* What the exchange needs, on the stack: it may use nothing else, and call nothing but the kernel. */
typedef struct frazil_exchange {
    const uint8_t *data;
    const snapshot_header *header;
    const snapshot_piece *pieces;
    const snapshot_object *objects;
    const snapshot_own *own;
    const snapshot_mangled *mangled;
    frazil_bases bases;
    uint64_t values[SNAPSHOT_OWN_AT_MOST];
    uint64_t stack_guard;
    uint64_t pointer_guard;
    uint64_t vdso;
    uint64_t vdso_size;
    uint32_t linker; /* number of the dynamic linker among the objects */
    uint32_t linker_words;
    struct {
        uint64_t address; /* in the snapshot's process */
        uint64_t value;
    } vdso_words[32];
} frazil_exchange;

/* Read what this process keeps. */
void frazil_exchange_keep(frazil_exchange *with);

/* Replace everything, and go on as the process that the snapshot was made of. */
__attribute__((noreturn)) void frazil_exchange_run(const frazil_exchange *with);

#endif
