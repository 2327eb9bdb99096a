/* pthread_exit and pthread_cancel: see that the library they need is there.
 *
 * libc unwinds the stack of a thread that ends this way with libgcc_s.so.1, which it loads by name at that time, and ends the
 * process where it is not installed. CPython ends daemon threads so at exit. Once the image's own is loaded, libc finds it by
 * that name. */
#define _GNU_SOURCE
#include "libc/real.h"

#include <pthread.h>

#include "memfs/memfs.h"
#include "native/native.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load_unwinder(void)
{
    /* Absent from the image: libc looks for the system's. */
    frazil_native_dlopen(FRAZIL_MOUNT "/lib/libgcc_s.so.1", RTLD_NOW);
}

void pthread_exit(void *value)
{
    pthread_once(&once, load_unwinder);
    FRAZIL_REAL_OF(pthread_exit)(value);
    __builtin_unreachable();
}

int pthread_cancel(pthread_t thread)
{
    pthread_once(&once, load_unwinder);
    return FRAZIL_REAL_OF(pthread_cancel)(thread);
}
