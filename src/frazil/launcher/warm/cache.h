/* Snapshots that an executable makes of itself: at its first start, into a private directory (docs/spec/snapshot.md, "Made at
 * first start"). */
#ifndef FRAZIL_WARM_CACHE_H
#define FRAZIL_WARM_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "warm/key.h"
#include "warm/warm.h"

typedef enum frazil_need {
    FRAZIL_NEED_NONE, /* another snapshot would not fit either, or nobody asks for one */
    FRAZIL_NEED_FIRST, /* there is none */
    FRAZIL_NEED_OTHER, /* it is damaged, or of another machine */
    FRAZIL_NEED_NEWER, /* what its imports looked at has changed */
} frazil_need;

typedef struct frazil_cache {
    char name[64]; /* of this executable, its libraries and this processor */
    int64_t made; /* seconds since 1970 */
    const char *python; /* version, for the interpreter's name */
} frazil_cache;

/* Whether the executable makes its snapshots itself. */
bool frazil_cache_is_used(frazil_cache *cache, frazil_setting *setting);

/* Map the snapshot, which is not checked by that: the one in the cache, or the file `named`. NULL, or why there is none, and
 * what is needed. */
const char *frazil_cache_find(frazil_cache *cache, const char *named, frazil_snapshot *snapshot, frazil_need *need);

/* This start is cold, and another snapshot is needed: have one made, in a process of its own that nobody waits for, unless it
 * is no use. `only_tell`: say what is known of that, and do nothing. */
void frazil_cache_renew(const frazil_cache *cache, frazil_need need, bool debug, bool only_tell);

/* A start from it ended by a fault: let no other try. */
void frazil_cache_discard(const frazil_cache *cache);

#endif
