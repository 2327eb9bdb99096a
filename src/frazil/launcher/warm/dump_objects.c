/* What a process consists of that a snapshot is made of: the program, libraries that every process of it has, other files. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>

#include "memfs/kernel.h"
#include "warm/build_id.h"
#include "warm/dump.h"
#include "warm/dumping.h"
#include "warm/key.h"

static uintptr_t there_at_first[FRAZIL_OBJECTS_AT_MOST];

static int note_base(struct dl_phdr_info *info, size_t size, void *count)
{
    (void)size;
    if (*info->dlpi_name && *(size_t *)count < FRAZIL_OBJECTS_AT_MOST)
        there_at_first[(*(size_t *)count)++] = info->dlpi_addr;
    return 0;
}

void frazil_dump_begin(void)
{
    size_t count = 0;

    dl_iterate_phdr(note_base, &count);
}

static bool was_there(uintptr_t base)
{
    for (size_t i = 0; i < FRAZIL_OBJECTS_AT_MOST && there_at_first[i]; i++)
        if (there_at_first[i] == base)
            return true;
    return false;
}

/* What every process of the program has: what was there when main began. */
static int add_library(struct dl_phdr_info *info, size_t size, void *context)
{
    frazil_dump *to = context;
    snapshot_object *object = &to->objects[to->object_count];
    uintptr_t low = UINTPTR_MAX, high = 0;

    (void)size;
    if (!*info->dlpi_name || !was_there(info->dlpi_addr))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *one = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + one->p_vaddr;
        if (one->p_type != PT_LOAD)
            continue;
        low = frazil_page_down(start) < low ? frazil_page_down(start) : low;
        high = start + one->p_memsz > high ? start + one->p_memsz : high;
    }
    if (!frazil_build_id(info, object->build)) {
        to->problem = "a library of the system has no build ID";
        return 1;
    }
    object->base = info->dlpi_addr;
    object->kind = OBJECT_LIBRARY;
    object->name = frazil_dump_text(to, frazil_object_name(info));
    to->parts[to->part_count++] = (frazil_part){low, frazil_page_up(high), high, to->object_count++};
    return to->object_count == FRAZIL_OBJECTS_AT_MOST;
}

static int add_program(struct dl_phdr_info *info, size_t size, void *context)
{
    frazil_dump *to = context;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *one = &info->dlpi_phdr[i];
        if (one->p_type == PT_LOAD && one->p_flags & PF_W)
            to->parts[to->part_count++] = (frazil_part){frazil_page_down(one->p_vaddr),
                frazil_page_up(one->p_vaddr + one->p_memsz), one->p_vaddr + one->p_memsz, SNAPSHOT_PROGRAM};
    }
    return 1; /* the program comes first */
}

const frazil_part *frazil_dump_part(const frazil_dump *to, uintptr_t address)
{
    for (uint32_t i = 0; i < to->part_count; i++)
        if (address >= to->parts[i].low && address < to->parts[i].high)
            return &to->parts[i];
    return NULL;
}

typedef struct place {
    uintptr_t address;
    const char *path; /* of the library that is there; NULL for none */
} place;

static int find_library(struct dl_phdr_info *info, size_t size, void *context)
{
    place *at = context;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *one = &info->dlpi_phdr[i];
        if (one->p_type == PT_LOAD
            && at->address - frazil_page_down(info->dlpi_addr + one->p_vaddr) < frazil_page_up(one->p_memsz))
            at->path = info->dlpi_name;
    }
    return at->path != NULL;
}

/* The path that the mapped file was opened by, which need not be the one that the kernel knows: where that differs, as in other
 * layouts of /lib, it may still be the same library. */
const char *frazil_dump_path(const frazil_mapping *mapping)
{
    place at = {mapping->low, NULL};

    dl_iterate_phdr(find_library, &at);
    return at.path && *at.path == '/' ? at.path : mapping->path;
}

/* The number of a file that the process mapped. */
uint32_t frazil_dump_file(frazil_dump *to, const char *path)
{
    struct stat status;

    for (uint32_t i = 0; i < to->object_count; i++)
        if (to->objects[i].kind == OBJECT_FILE && strcmp(to->text + to->objects[i].name, path) == 0)
            return i;
    if (to->object_count == FRAZIL_OBJECTS_AT_MOST || frazil_kernel(SYS_newfstatat, AT_FDCWD, path, &status, 0) < 0) {
        to->problem = "a file that is mapped is no longer there";
        return 0;
    }
    to->objects[to->object_count] = (snapshot_object){
        .kind = OBJECT_FILE,
        .name = frazil_dump_text(to, path),
        .size = (uint64_t)status.st_size,
        .modified = (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec,
    };
    return to->object_count++;
}

void frazil_dump_parts(frazil_dump *to)
{
    dl_iterate_phdr(add_program, to);
    dl_iterate_phdr(add_library, to);
}
