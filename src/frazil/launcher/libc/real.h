/* For files that define functions of libc; included before all else.
 *
 * libc's headers declare many arguments as never null, and the compiler would drop our tests for it; but programs may pass null
 * and expect EFAULT of the kernel. */
#ifndef FRAZIL_LIBC_REAL_H
#define FRAZIL_LIBC_REAL_H

#define __nonnull(parameters)

#include <dlfcn.h>

/* libc's own definition of a function, looked up when first needed: FRAZIL_REAL_OF(fopen)(path, mode). */
#define FRAZIL_REAL_OF(name)                                                                                                   \
    ({                                                                                                                         \
        static __typeof__(name) *cached;                                                                                       \
        __typeof__(name) *real = __atomic_load_n(&cached, __ATOMIC_RELAXED);                                                   \
        if (__builtin_expect(real == NULL, 0)) {                                                                               \
            real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);                                                                \
            __atomic_store_n(&cached, real, __ATOMIC_RELAXED);                                                                 \
        }                                                                                                                      \
        real;                                                                                                                  \
    })

#endif
