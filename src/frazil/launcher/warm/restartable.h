/* Restartable sequences (rseq): the kernel writes to an area of each thread that the C library registered. A process that gets
 * another thread pointer registers another area. */
#ifndef FRAZIL_WARM_RESTARTABLE_H
#define FRAZIL_WARM_RESTARTABLE_H

#include <stdint.h>

#include "memfs/kernel.h"

#define FRAZIL_RESTARTABLE_SIGNATURE 0x53053053 /* glibc's on x86 */

/* glibc 2.35 and later say where it is, from the thread pointer, and how large; size 0: it is not registered. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* What glibc registers: the first version's size, or more where the kernel has more. 0 for none. */
static inline uint32_t frazil_restartable_size(void)
{
    return &__rseq_size && __rseq_size ? (__rseq_size > 32 ? __rseq_size : 32) : 0;
}

static inline void frazil_restartable_leave(void)
{
    if (frazil_restartable_size())
        frazil_kernel(SYS_rseq, (uintptr_t)__builtin_thread_pointer() + (uintptr_t)__rseq_offset, frazil_restartable_size(),
            1 /* RSEQ_FLAG_UNREGISTER */, FRAZIL_RESTARTABLE_SIGNATURE);
}

#endif
