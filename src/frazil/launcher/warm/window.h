/* The window: addresses at which everything stands that a snapshot holds outside of the program.
 *
 * Theory of operation. A snapshot is of a whole process, its C library and dynamic linker included, and all of that must stand
 * at the same addresses in every process that is restored. The kernel places what a process maps; so the process that a
 * snapshot is made of first takes all free addresses above the window away from the kernel (mappings without access), maps the
 * dynamic linker once more, which now can only be put into the window, and starts it as the kernel would have: the program
 * begins again, and whatever it maps from then on stands in the window, in the same order at the same places each time. The
 * kernel's vDSO, whose place and content are each machine's own, is not shown to that dynamic linker. */
#ifndef FRAZIL_WARM_WINDOW_H
#define FRAZIL_WARM_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAZIL_WINDOW_LOW 0x100000000000ul
#define FRAZIL_WINDOW_HIGH 0x200000000000ul
/* The stack of the process that began again. */
#define FRAZIL_WINDOW_STACK 0x0E0000000000ul
#define FRAZIL_WINDOW_STACK_SIZE (64ul << 20)
/* From here on is memory that is in no snapshot. */
#define FRAZIL_SCRATCH 0x0F0000000000ul

#define FRAZIL_PAGE 4096ul

static inline uintptr_t frazil_page_down(uintptr_t address)
{
    return address & ~(FRAZIL_PAGE - 1);
}

static inline uintptr_t frazil_page_up(uintptr_t address)
{
    return frazil_page_down(address + FRAZIL_PAGE - 1);
}

/* Whether this process is one that began again. */
bool frazil_window_entered(void);

/* Begin again in the window. Returns only when that cannot be, with the reason. */
const char *frazil_window_enter(int argc, char **argv);

/* Map the addresses without access: false when somebody has one of them already. */
bool frazil_window_reserve(uintptr_t address, size_t size);

/* Memory, zeroed, that is in no snapshot; NULL when there is none. */
void *frazil_window_scratch(size_t size);

/* A mapping of this process, as the kernel lists it. */
typedef struct frazil_mapping {
    uintptr_t low;
    uintptr_t high;
    uint64_t offset;
    int protection;
    bool shared;
    const char *path; /* "" for none */
} frazil_mapping;

/* All mappings, in order; NULL when they cannot be read. In memory that is in no snapshot. The list ends with `high` 0. */
frazil_mapping *frazil_window_mappings(void);

#endif
