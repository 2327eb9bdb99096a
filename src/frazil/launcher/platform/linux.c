/* Linux with glibc (or another ELF C library) on 64 bits. */
#define _GNU_SOURCE
#include "platform/platform.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* docs/spec/launcher.md, "The executable" */
#define IMAGE_ADDRESS 0x2000000000UL

/* A page of the mapping that lies behind the end of a truncated file would end the program by SIGBUS. A system call that copies
 * from it fails instead; this one, called with an operation that does not exist, changes nothing. */
static bool can_be_read(uintptr_t address)
{
    errno = 0;
    syscall(SYS_rt_sigprocmask, -1, address & ~(uintptr_t)7, NULL, 8);
    return errno != EFAULT;
}

static bool find_image(const void **base, size_t *size, uint64_t *offset)
{
    const Elf64_Phdr *header = (const Elf64_Phdr *)getauxval(AT_PHDR);
    unsigned long count = getauxval(AT_PHNUM);

    for (unsigned long i = 0; header && i < count; i++)
        if (header[i].p_type == PT_LOAD && header[i].p_vaddr == IMAGE_ADDRESS) {
            *base = (const void *)IMAGE_ADDRESS;
            *size = header[i].p_memsz;
            *offset = header[i].p_offset;
            if (*size > 0 && !can_be_read(IMAGE_ADDRESS + *size - 1))
                *size = 0;
            return true;
        }
    return false;
}

bool frazil_platform_image(const void **base, size_t *size, uint64_t *offset)
{
    static const void *known_base; /* set by the first call, before there are threads */
    static size_t known_size;
    static uint64_t known_offset;

    if (!known_base && !find_image(&known_base, &known_size, &known_offset))
        return false;
    *base = known_base;
    *size = known_size;
    *offset = known_offset;
    return true;
}

void frazil_platform_executable(char *path, size_t size)
{
    static const char deleted[] = " (deleted)";
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    const char *started_as;

    if (length > 0) {
        path[length] = '\0';
        /* Linux marks the name of a file that is gone. A file whose name ends like this exists under it. */
        if ((size_t)length > sizeof deleted && strcmp(path + length - (sizeof deleted - 1), deleted) == 0
            && access(path, F_OK) != 0)
            path[length - (ssize_t)(sizeof deleted - 1)] = '\0';
        return;
    }
    /* No /proc: what execve was given, which the kernel hands over. */
    path[0] = '\0';
    started_as = (const char *)getauxval(AT_EXECFN);
    if (started_as && size >= PATH_MAX && !realpath(started_as, path))
        path[0] = '\0';
}

bool frazil_platform_has_more_rights(void)
{
    return getauxval(AT_SECURE) != 0;
}

uint64_t frazil_platform_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
