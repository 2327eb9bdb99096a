/* The region: memory at a fixed address, from which everything is allocated while a snapshot is made.
 *
 * Theory of operation. The region is cut into spans of 16 KiB. A span holds blocks of one size, or belongs to a large block;
 * one byte for each span says which, so blocks have no header and stand as close as they can. What is freed is zeroed, so that
 * the snapshot holds nothing stale. A restored process allocates from libc; blocks of the region it may read, write, free
 * (which does nothing: the page stays shared with all processes that run the program) and realloc (which copies out). */
#ifndef FRAZIL_WARM_REGION_H
#define FRAZIL_WARM_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAZIL_REGION_ADDRESS 0x100000000000ul
#define FRAZIL_REGION_SIZE (1ul << 30)

static inline bool frazil_region_owns(const void *block)
{
    return (uintptr_t)block - FRAZIL_REGION_ADDRESS < FRAZIL_REGION_SIZE;
}

/* Map the region, empty; false when its addresses are taken. */
bool frazil_region_make(void);

/* Zeroed; `alignment` is a power of two. NULL when the region is full. */
void *frazil_region_allocate(size_t size, size_t alignment);
void frazil_region_free(void *block);
size_t frazil_region_size_of(const void *block);

/* How many bytes from the region's start are in use. */
size_t frazil_region_used(void);

#endif
