/* Words of a dump that each process has for itself (docs/spec/snapshot.md, "Dumps"). They are found by what they are, and the
 * builder proves it by comparing dumps: pointers into the arguments and the environment on the stack, the break, pointers that
 * libc mangles. */
#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "memfs/kernel.h"
#include "warm/dumping.h"
#include "warm/warm.h"

static bool is_code(const frazil_dump *to, uint64_t address)
{
    for (const frazil_mapping *one = to->mappings; one->high && one->low <= address; one++)
        if (address < one->high)
            return (one->protection & PROT_EXEC) != 0;
    return false;
}

static void add_own(frazil_dump *to, uintptr_t at, uint32_t object)
{
    if (to->own_count == SNAPSHOT_OWN_AT_MOST)
        to->problem = "too many words hold what each process has for itself";
    else
        to->own[to->own_count++] = (snapshot_own){at, object, 0};
}

/* What of the stack's end that every process has is at the address; 0 for anything else. Rust's standard library keeps these.
 */
static uint32_t place_of(const frazil_dump *to, uint64_t address)
{
    return address == to->arguments  ? SNAPSHOT_ARGUMENTS
        : address == to->environment ? SNAPSHOT_ENVIRONMENT
        : address == to->auxiliary   ? SNAPSHOT_AUXILIARY
                                     : 0;
}

static void look_at_word(frazil_dump *to, uintptr_t at, uint64_t value, uint32_t object)
{
    bool live = value >= to->stack_low && value < to->stack_high;

    if (value < 4096)
        return;
    if (object < SNAPSHOT_NONE && frazil_dump_part(to, at)->end <= at)
        object = SNAPSHOT_NONE;
    if (object == SNAPSHOT_NONE && at - (uintptr_t)__builtin_thread_pointer() < SNAPSHOT_THREAD_SIZE)
        object = SNAPSHOT_THREAD;
    if ((object != SNAPSHOT_NONE && live)
        || (object < SNAPSHOT_NONE && (value == to->break_end || value == to->guard || at == to->core))) {
        add_own(to, at, object);
        return;
    }
    if (live && place_of(to, value)) {
        add_own(to, at, place_of(to, value));
        return;
    }
    uint64_t plain = (value >> 17 | value << 47) ^ to->guard;
    if (plain < 1ul << 47 && plain > PAGE && is_code(to, plain)) {
        if (to->mangled_count == RECORDS_AT_MOST) {
            frazil_dump_fail(to, E2BIG);
            return;
        }
        to->mangled[to->mangled_count++] = (snapshot_mangled){at, plain};
    }
}

/* Memory files that libraries were loaded from. The dynamic linker knows a file that it has loaded by its device and number,
 * and another process's files may have these numbers. */
static uint64_t *memory_files, memory_device; /* in memory that is in no snapshot: their numbers differ each time */
static uint32_t memory_file_count;

void frazil_warm_loads(int file)
{
    struct stat status;

    if (frazil_warm != FRAZIL_WARM_MAKING || memory_file_count == RECORDS_AT_MOST
        || frazil_kernel(SYS_fstat, file, &status) < 0)
        return;
    if (!memory_files)
        memory_files = frazil_window_scratch(RECORDS_AT_MOST * sizeof *memory_files);
    if (!memory_files)
        return;
    memory_device = status.st_dev;
    memory_files[memory_file_count++] = status.st_ino;
}

/* The numbers stand next to each other in the record that the dynamic linker keeps of the library. */
static bool forget_file(struct link_map *library)
{
    uint64_t *words = (uint64_t *)library;

    for (size_t at = 0; at + 1 < malloc_usable_size(library) / sizeof *words; at++)
        for (uint32_t i = 0; words[at] == memory_device && i < memory_file_count; i++)
            if (words[at + 1] == memory_files[i]) {
                words[at] = UINT64_MAX;
                words[at + 1] = i;
                return true;
            }
    return false;
}

static bool is_of_memory(const struct link_map *library)
{
    return strncmp(library->l_name, "/proc/self/fd/", 14) == 0 || strncmp(library->l_name, "/memfs:/", 8) == 0;
}

void frazil_dump_forget_files(frazil_dump *to)
{
    for (struct link_map *library = _r_debug.r_map; library && memory_file_count; library = library->l_next)
        if (is_of_memory(library) && !forget_file(library))
            to->problem = "the dynamic linker is not one that is known";
}

void frazil_dump_look(frazil_dump *to, uintptr_t page, uint32_t object)
{
    for (const uint64_t *at = (const uint64_t *)page; at < (const uint64_t *)(page + PAGE); at++)
        if (*at)
            look_at_word(to, (uintptr_t)at, *at, object);
}
