/* The kernel, called directly: no errno, no cancellation, nothing that another definition could answer. Linux x86-64 only. */
#ifndef FRAZIL_MEMFS_KERNEL_H
#define FRAZIL_MEMFS_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/* The result of the system call, or a negative errno. */
static inline long frazil_kernel6(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
        : "=a"(result)
        : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
        : "rcx", "r11", "memory");
    return result;
}

#define FRAZIL_KERNEL_1(n, a) frazil_kernel6(n, (long)(a), 0, 0, 0, 0, 0)
#define FRAZIL_KERNEL_2(n, a, b) frazil_kernel6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define FRAZIL_KERNEL_3(n, a, b, c) frazil_kernel6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define FRAZIL_KERNEL_4(n, a, b, c, d) frazil_kernel6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define FRAZIL_KERNEL_5(n, a, b, c, d, e) frazil_kernel6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define FRAZIL_KERNEL_6(n, a, b, c, d, e, f) frazil_kernel6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define FRAZIL_KERNEL_PICK(n1, n2, n3, n4, n5, n6, name, ...) name
/* frazil_kernel(number, up to six arguments) */
#define frazil_kernel(number, ...)                                                                                             \
    FRAZIL_KERNEL_PICK(                                                                                                        \
        __VA_ARGS__, FRAZIL_KERNEL_6, FRAZIL_KERNEL_5, FRAZIL_KERNEL_4, FRAZIL_KERNEL_3, FRAZIL_KERNEL_2, FRAZIL_KERNEL_1, 0)  \
    (number, __VA_ARGS__)

/* What a libc function returns for it: -1 and errno for an error. */
static inline long frazil_result(long result)
{
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

#define FRAZIL_LIBC(number, ...) frazil_result(frazil_kernel(number, __VA_ARGS__))

/* Kept out of the callers' frames, so that real paths pay nothing for the buffers of memfs. */
#define FRAZIL_SLOW __attribute__((noinline))

/* These functions stand in the place of libc's: programs and libraries must find them. */
#define FRAZIL_EXPORT __attribute__((visibility("default")))

#endif
