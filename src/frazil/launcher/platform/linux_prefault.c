/* The program's data, copied in one system call instead of a page fault for each page.
 *
 * Static linking puts all of CPython's types and tables into the data segment, and starting an interpreter writes to most of
 * its pages. Faulting them in one by one is a twentieth of the time that hello takes. */
#define _GNU_SOURCE
#include "platform/platform.h"

#include <elf.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#define PAGE 4096ul

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* A warm start replaces the data (docs/spec/snapshot.md): its launcher asks for this when a start is to be cold. */
extern char frazil_warm_start __attribute__((weak));

static uintptr_t page_after(uintptr_t address)
{
    return (address + PAGE - 1) & ~(PAGE - 1);
}

/* Linux before 5.14 knows no such advice, and nothing is lost. */
void frazil_platform_prefault(void)
{
    const Elf64_Phdr *header = (const Elf64_Phdr *)getauxval(AT_PHDR);
    unsigned long count = header ? getauxval(AT_PHNUM) : 0;
    uintptr_t fixed = 0;

    /* What the dynamic linker has made read-only by now would make the advice fail. */
    for (unsigned long i = 0; i < count; i++)
        if (header[i].p_type == PT_GNU_RELRO)
            fixed = page_after(header[i].p_vaddr + header[i].p_memsz);
    for (unsigned long i = 0; i < count; i++)
        if (header[i].p_type == PT_LOAD && (header[i].p_flags & PF_W)) {
            uintptr_t start = header[i].p_vaddr & ~(PAGE - 1);
            uintptr_t end = page_after(header[i].p_vaddr + header[i].p_memsz);

            if (start < fixed && fixed < end)
                start = fixed;
            madvise((void *)start, end - start, MADV_POPULATE_WRITE);
        }
}

/* The first writes come before main. */
__attribute__((constructor)) static void prefault(void)
{
    if (!&frazil_warm_start)
        frazil_platform_prefault();
}
