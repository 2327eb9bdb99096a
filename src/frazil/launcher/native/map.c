/* Segments of libraries mapped from the executable: see native/map.h. */
#define _GNU_SOURCE
#include "native/map.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/platform.h"

#define PAGE 4096UL

/* What the thread is opening; the resolver has no argument. */
static _Thread_local frazil_holed *opening;

bool frazil_native_can_map(const frazil_elf *elf)
{
    const void *image;
    size_t size;
    uint64_t offset;
    frazil_elf_segment segment;

    if (!frazil_platform_image(&image, &size, &offset) || elf->data < (const uint8_t *)image
        || (size_t)(elf->data - (const uint8_t *)image) > size || ((uintptr_t)elf->data | offset) % PAGE != 0)
        return false;
    for (size_t at = 0; frazil_elf_constant_segment(elf, &at, &segment);)
        if ((segment.address - segment.offset) % PAGE != 0)
            return false;
    return frazil_elf_is_idle_until_relocated(elf);
}

frazil_holed *frazil_native_begin(frazil_holed *libraries)
{
    frazil_holed *before = opening;

    opening = libraries;
    return before;
}

void frazil_native_end(frazil_holed *before)
{
    opening = before;
}

typedef struct search {
    const char *link;
    uintptr_t base;
    bool found;
} search;

static int compare_name(struct dl_phdr_info *info, size_t size, void *wanted)
{
    search *here = wanted;

    (void)size;
    if (!info->dlpi_name || strcmp(info->dlpi_name, here->link) != 0)
        return 0;
    here->base = info->dlpi_addr;
    here->found = true;
    return 1;
}

/* Cover one segment. Where mapping fails, the memfd's hole is filled: the dynamic linker's private mapping shows it. */
static bool cover(
    const frazil_holed *library, uintptr_t base, const frazil_elf_segment *segment, int executable, uint64_t image)
{
    uintptr_t start = (base + segment->address) & ~(PAGE - 1);
    size_t lead = (base + segment->address) - start;
    int protection = (segment->flags & PF_R ? PROT_READ : 0) | (segment->flags & PF_X ? PROT_EXEC : 0);
    off_t offset = (off_t)(image + segment->offset - lead);

    if (executable >= 0
        && mmap((void *)start, segment->size + lead, protection, MAP_PRIVATE | MAP_FIXED, executable, offset) != MAP_FAILED)
        return true;
    for (size_t done = 0; done < segment->size;) {
        ssize_t written = pwrite(
            library->file, library->elf.data + segment->offset + done, segment->size - done, (off_t)(segment->offset + done));
        if (written <= 0)
            return false;
        done += (size_t)written;
    }
    return true;
}

static bool cover_all(const frazil_holed *library, int executable)
{
    search wanted = {.link = library->link};
    const void *image;
    size_t size;
    uint64_t offset;
    frazil_elf_segment segment;

    dl_iterate_phdr(compare_name, &wanted);
    if (!wanted.found || !frazil_platform_image(&image, &size, &offset))
        return !wanted.found; /* another thread had opened it */
    offset += (uint64_t)(library->elf.data - (const uint8_t *)image);
    for (size_t at = 0; frazil_elf_constant_segment(&library->elf, &at, &segment);)
        if (!cover(library, wanted.base, &segment, executable, offset))
            return false;
    return true;
}

static void nothing(void)
{
}

/* The resolver: the dynamic linker is relocating, and waits for an address. */
static void (*relocated(void))(void)
{
    frazil_holed *libraries = opening;
    int executable = libraries ? (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0) : -1;

    opening = NULL;
    for (; libraries; libraries = libraries->next)
        if (!cover_all(libraries, executable)) {
            dprintf(STDERR_FILENO, "frazil: %s: out of memory while it is mapped\n", libraries->link);
            _exit(1); /* it is in the process, with holes */
        }
    if (executable >= 0)
        close(executable);
    return nothing;
}

void frazil_native_relocated(void) __attribute__((ifunc("relocated"), visibility("default")));
