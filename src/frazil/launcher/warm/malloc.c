/* malloc and its family: libc's, but for blocks of the region (warm/region.h).
 *
 * While a snapshot is made all memory comes from the region, but that of the dynamic linker, which is this process's own: the
 * dynamic linker of the process that is restored has its own state. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memfs/kernel.h"
#include "warm/region.h"
#include "warm/warm.h"

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

/* Whether code of the dynamic linker is at that address. */
static bool in_linker(const void *address)
{
    static uintptr_t start, end;

    if (!end) {
        const Elf64_Ehdr *header = (const Elf64_Ehdr *)getauxval(AT_BASE);
        const Elf64_Phdr *program = (const Elf64_Phdr *)((uintptr_t)header + header->e_phoff);
        for (int i = 0; i < header->e_phnum; i++)
            if (program[i].p_type == PT_LOAD)
                end = (uintptr_t)header + program[i].p_vaddr + program[i].p_memsz;
        start = (uintptr_t)header;
    }
    return (uintptr_t)address >= start && (uintptr_t)address < end;
}

int frazil_warm_in_libc;

#define FROM_REGION()                                                                                                          \
    __builtin_expect(frazil_warm == FRAZIL_WARM_MAKING && !frazil_warm_in_libc && !in_linker(__builtin_return_address(0)), 0)

FRAZIL_EXPORT void *malloc(size_t size)
{
    return FROM_REGION() ? frazil_region_allocate(size, 16) : __libc_malloc(size);
}

FRAZIL_EXPORT void *calloc(size_t count, size_t size)
{
    size_t all;

    if (!FROM_REGION())
        return __libc_calloc(count, size);
    if (__builtin_mul_overflow(count, size, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return frazil_region_allocate(all, 16);
}

FRAZIL_EXPORT void free(void *block)
{
    if (__builtin_expect(!frazil_region_owns(block), 1))
        __libc_free(block);
    else if (frazil_warm == FRAZIL_WARM_MAKING)
        frazil_region_free(block);
}

static void *move(void *block, size_t size, bool to_region)
{
    size_t old = frazil_region_owns(block) ? frazil_region_size_of(block) : malloc_usable_size(block);
    void *moved;

    if (to_region && frazil_region_owns(block) && old >= size && old / 2 <= size)
        return block;
    moved = to_region ? frazil_region_allocate(size, 16) : __libc_malloc(size);
    if (moved) {
        memcpy(moved, block, old < size ? old : size);
        free(block);
    }
    return moved;
}

FRAZIL_EXPORT void *realloc(void *block, size_t size)
{
    bool to_region = FROM_REGION();

    if (__builtin_expect(!to_region && !frazil_region_owns(block), 1))
        return __libc_realloc(block, size);
    if (!block)
        return frazil_region_allocate(size, 16);
    if (size == 0) {
        free(block);
        return NULL;
    }
    return move(block, size, to_region);
}

FRAZIL_EXPORT void *memalign(size_t alignment, size_t size)
{
    return FROM_REGION() ? frazil_region_allocate(size, alignment) : __libc_memalign(alignment, size);
}

FRAZIL_EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return FROM_REGION() ? frazil_region_allocate(size, alignment) : __libc_memalign(alignment, size);
}

FRAZIL_EXPORT int posix_memalign(void **block, size_t alignment, size_t size)
{
    int kept = errno;

    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    *block = FROM_REGION() ? frazil_region_allocate(size, alignment) : __libc_memalign(alignment, size);
    errno = kept;
    return *block ? 0 : ENOMEM;
}

FRAZIL_EXPORT void *valloc(size_t size)
{
    return FROM_REGION() ? frazil_region_allocate(size, 4096) : __libc_memalign(4096, size);
}

FRAZIL_EXPORT void *pvalloc(size_t size)
{
    size = (size + 4095) & ~4095ul;
    return FROM_REGION() ? frazil_region_allocate(size, 4096) : __libc_memalign(4096, size);
}

FRAZIL_EXPORT size_t malloc_usable_size(void *block)
{
    static size_t (*real)(void *);

    if (frazil_region_owns(block))
        return frazil_region_size_of(block);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "malloc_usable_size");
    return real(block);
}

FRAZIL_EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t all;

    if (__builtin_mul_overflow(count, size, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, all);
}

/* -- mappings --------------------------------------------------------------------------------------------------------- */

void *frazil_warm_map(void *address, size_t length, int protection, int flags)
{
    const int kind = MAP_PRIVATE | MAP_ANONYMOUS;

    if (frazil_warm != FRAZIL_WARM_MAKING || address || (flags & (kind | MAP_FIXED)) != kind || protection & PROT_EXEC)
        return NULL;
    return frazil_region_allocate(length, 4096);
}

/* Of a mapping that came from the region only the whole is given back. */
FRAZIL_EXPORT int munmap(void *address, size_t length)
{
    if (!frazil_region_owns(address))
        return (int)FRAZIL_LIBC(SYS_munmap, address, length);
    if (frazil_warm == FRAZIL_WARM_MAKING && frazil_region_size_of(address) == length)
        frazil_region_free(address);
    return 0;
}
