/* Writes what the process is (warm/dump.h), memory page by page. Nothing here takes memory that is written down: lists stand in
 * memory below the window. */
#define _GNU_SOURCE
#include "warm/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/crc32.h"
#include "memfs/kernel.h"
#include "platform/platform.h"
#include "warm/dumping.h"
#include "warm/key.h"
#include "warm/record.h"
#include "warm/restartable.h"
#include "warm/warm.h"
#include "warm/window.h"

#define GAP 16 /* so many pages of zeros, or more, are not written */
#define GUARD_OFFSET 0x30 /* of the thread's pointer guard, which x86-64's ABI of glibc fixes */

extern void *__libc_stack_end; /* the stack's pointer when the program began */

/* -- writing ---------------------------------------------------------------------------------------------------------- */

void frazil_dump_fail(frazil_dump *to, int error)
{
    if (to->error == 0)
        to->error = error;
}

static void write_all(frazil_dump *to, int file, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0 && to->error == 0) {
        long written = frazil_kernel(SYS_write, file, at, size);
        if (written == -EINTR)
            continue;
        if (written <= 0) {
            frazil_dump_fail(to, written < 0 ? (int)-written : EIO);
            return;
        }
        at += written;
        size -= (size_t)written;
    }
}

static void put(frazil_dump *to, const void *data, size_t size)
{
    write_all(to, to->file, data, size);
    to->written += size;
}

void frazil_dump_say(frazil_dump *to, const char *format, ...)
{
    char line[PATH_MAX + 256];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    write_all(to, to->layout, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

uint32_t frazil_dump_text(frazil_dump *to, const char *text)
{
    size_t size = strlen(text) + 1;
    uint32_t at = to->text_size;

    if (size > TEXT_AT_MOST - at) {
        frazil_dump_fail(to, E2BIG);
        return 0;
    }
    memcpy(to->text + at, text, size);
    to->text_size += (uint32_t)size;
    return at;
}

static snapshot_piece *add_piece(frazil_dump *to, uint32_t kind, uintptr_t low, uintptr_t high, int protection)
{
    snapshot_piece *piece = &to->pieces[to->piece_count];

    if (to->piece_count == RECORDS_AT_MOST - 1)
        frazil_dump_fail(to, E2BIG);
    else
        to->piece_count++;
    *piece = (snapshot_piece){.address = low, .size = high - low, .kind = kind, .protection = (uint32_t)protection};
    return piece;
}

/* -- pages ------------------------------------------------------------------------------------------------------------ */

static bool is_empty(uintptr_t page)
{
    const uint64_t *at = (const uint64_t *)page;

    for (size_t i = 0; i < PAGE / 8; i++)
        if (at[i])
            return false;
    return true;
}

static uintptr_t skip_empty(uintptr_t at, uintptr_t high)
{
    while (at < high && is_empty(at))
        at += PAGE;
    return at;
}

static void put_pages(frazil_dump *to, uintptr_t low, uintptr_t high, int protection, uint32_t object)
{
    snapshot_piece *piece = add_piece(to, object == SNAPSHOT_PROGRAM ? PIECE_PROGRAM : PIECE_PAGES, low, high, protection);

    for (uintptr_t page = low; page < high && protection & PROT_READ; page += PAGE)
        frazil_dump_look(to, page, object);
    piece->object = object < SNAPSHOT_NONE ? object + 1 : 0;
    piece->offset = to->written;
    piece->crc = frazil_crc32(0, (const void *)low, high - low);
    put(to, (const void *)low, high - low);
}

/* Memory that only this process has, without long stretches of zeros. */
static void put_memory(frazil_dump *to, uintptr_t low, uintptr_t high, int protection, uint32_t object)
{
    if (!(protection & PROT_READ)) {
        add_piece(to, PIECE_ZERO, low, high, protection);
        return;
    }
    for (uintptr_t at = low; at < high;) {
        uintptr_t full = skip_empty(at, high), end = full;
        if (full - at >= GAP * PAGE || full == high) {
            if (full > at)
                add_piece(to, PIECE_ZERO, at, full, protection);
            at = full;
        }
        while (end < high) {
            uintptr_t next = is_empty(end) ? skip_empty(end, high) : end + PAGE;
            if (is_empty(end) && (next - end >= GAP * PAGE || next == high))
                break;
            end = next;
        }
        if (end > at)
            put_pages(to, at, end, protection, object);
        at = end;
    }
}

/* Code and constants of a library of the system: no process has written to them. */
static bool is_file_of_system(const frazil_mapping *one)
{
    static const char deleted[] = " (deleted)";
    size_t length = strlen(one->path);

    return *one->path == '/' && !(one->protection & PROT_WRITE) && strncmp(one->path, "/memfd:", 7) != 0
        && !(length > sizeof deleted && strcmp(one->path + length - (sizeof deleted - 1), deleted) == 0);
}

/* Whether the file shows what is in memory: the dynamic linker relocates, and then takes away the right to write. */
static bool is_as_in_file(const frazil_mapping *one)
{
    char path[PATH_MAX], buffer[16384];
    bool same = true;
    int file;

    snprintf(path, sizeof path, "%s", one->path);
    file = (int)frazil_kernel(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    for (uintptr_t at = one->low; file >= 0 && same && at < one->high; at += sizeof buffer) {
        size_t size = one->high - at < sizeof buffer ? one->high - at : sizeof buffer;
        long read = frazil_kernel(SYS_pread64, file, buffer, size, one->offset + (at - one->low));
        same = read >= 0 && memcmp(buffer, (const void *)at, (size_t)read) == 0;
        for (uintptr_t page = frazil_page_up(at + (size_t)(read < 0 ? 0 : read)); same && page < at + size; page += PAGE)
            same = is_empty(page);
    }
    if (file >= 0)
        frazil_kernel(SYS_close, file);
    return file >= 0 && same;
}

static void put_mapping(frazil_dump *to, const frazil_mapping *one, const char *executable)
{
    const frazil_part *in = frazil_dump_part(to, one->low);
    snapshot_piece *piece;

    if (one->shared && one->protection & PROT_WRITE) {
        to->problem = "memory is shared with other processes";
        frazil_dump_say(to, "shared\t%lx\t%s\n", one->low, one->path);
    } else if (!(one->protection & PROT_READ)) {
        add_piece(to, PIECE_ZERO, one->low, one->high, one->protection);
    } else if (is_file_of_system(one) && is_as_in_file(one)) {
        bool ours = strcmp(one->path, executable) == 0;
        piece = add_piece(to, ours ? PIECE_EXECUTABLE : in ? PIECE_OBJECT : PIECE_FILE, one->low, one->high, one->protection);
        piece->offset = one->offset;
        piece->object = ours ? 0 : in ? in->object + 1 : frazil_dump_file(to, frazil_dump_path(one)) + 1;
    } else {
        put_memory(to, one->low, one->high, one->protection, in ? in->object : SNAPSHOT_NONE);
    }
}

/* Where the first range behind `low` begins that is written down otherwise: memory that is mapped next to a library's is one
 * mapping with it. */
static uintptr_t end_of_same(const frazil_dump *to, uintptr_t low, uintptr_t high)
{
    for (uint32_t i = 0; i < to->part_count; i++) {
        const frazil_part *one = &to->parts[i];
        high = one->low > low && one->low < high ? one->low : high;
        high = one->high > low && one->high < high ? one->high : high;
    }
    return high;
}

static void put_by_parts(frazil_dump *to, frazil_mapping rest, const char *executable)
{
    const uintptr_t high = rest.high;

    while (rest.low < high) {
        rest.high = end_of_same(to, rest.low, high);
        put_mapping(to, &rest, executable);
        rest.offset += rest.high - rest.low;
        rest.low = rest.high;
    }
}

/* The program's own data, with the protection that each range has. */
static void put_program(frazil_dump *to)
{
    for (uint32_t i = 0; i < to->part_count; i++)
        for (const frazil_mapping *one = to->mappings; one->high && to->parts[i].object == SNAPSHOT_PROGRAM; one++) {
            uintptr_t low = one->low > to->parts[i].low ? one->low : to->parts[i].low;
            uintptr_t high = one->high < to->parts[i].high ? one->high : to->parts[i].high;
            if (low < high)
                put_memory(to, low, high, one->protection, SNAPSHOT_PROGRAM);
        }
}

/* -- what does not survive -------------------------------------------------------------------------------------------- */

static void put_descriptors(frazil_dump *to)
{
    char entries[8192], path[64], target[PATH_MAX];
    int directory = (int)frazil_kernel(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    long length;

    while (directory >= 0 && (length = frazil_kernel(SYS_getdents64, directory, entries, sizeof entries)) > 0)
        for (long at = 0; at < length;) {
            const char *name = entries + at + 19; /* struct linux_dirent64 */
            int number = 0;
            at += *(unsigned short *)(entries + at + 16);
            for (const char *digit = name; *digit >= '0' && *digit <= '9'; digit++)
                number = number * 10 + *digit - '0';
            if (*name == '.' || number <= 2 || number == directory || number == to->layout || number == to->file
                || number == frazil_record_file())
                continue;
            snprintf(path, sizeof path, "/proc/self/fd/%d", number);
            long size = frazil_kernel(SYS_readlinkat, AT_FDCWD, path, target, sizeof target - 1);
            target[size > 0 ? size : 0] = '\0';
            frazil_dump_say(to, "descriptor\t%d\t%s\n", number, target);
        }
    if (directory >= 0)
        frazil_kernel(SYS_close, directory);
}

static void put_threads(frazil_dump *to)
{
    char entries[8192];
    int directory = (int)frazil_kernel(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    long length, count = 0;
    uintptr_t low, high;

    while (directory >= 0 && (length = frazil_kernel(SYS_getdents64, directory, entries, sizeof entries)) > 0)
        for (long at = 0; at < length; at += *(unsigned short *)(entries + at + 16))
            count += entries[at + 19] != '.';
    if (directory >= 0)
        frazil_kernel(SYS_close, directory);
    for (unsigned i = 0; frazil_record_stack(i, &low, &high); i++)
        frazil_dump_say(to, "stack\t%lx\t%lx\n", low, high);
    if (count > 1)
        frazil_dump_say(to, "running\t%ld\n", count - 1);
}

/* -- the whole -------------------------------------------------------------------------------------------------------- */

static void *table(frazil_dump *to, size_t each)
{
    void *made = frazil_window_scratch(RECORDS_AT_MOST * each);

    if (!made)
        frazil_dump_fail(to, ENOMEM);
    return made;
}

static int open_in(frazil_dump *to, const char *directory, const char *name)
{
    char path[PATH_MAX];
    long file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = frazil_kernel(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        frazil_dump_fail(to, (int)-file);
    return (int)file;
}

/* The program's arguments and environment, which live as long as the process; and the break. */
static void find_places(frazil_dump *to)
{
    const uintptr_t *block = __libc_stack_end; /* the count of arguments comes first */

    to->stack_low = (uintptr_t)block;
    to->arguments = (uintptr_t)(block + 1);
    block += *block + 2;
    to->environment = (uintptr_t)block;
    while (*block++)
        ;
    to->auxiliary = (uintptr_t)block;
    to->stack_high = FRAZIL_WINDOW_STACK + FRAZIL_WINDOW_STACK_SIZE;
    to->break_end = (uintptr_t)frazil_kernel(SYS_brk, 0);
}

static uint32_t find_identity(void)
{
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    uint32_t own = (uint32_t)frazil_kernel(SYS_gettid, 0), found = 0;

    for (uint32_t at = 0; at < SNAPSHOT_THREAD_SIZE; at += 4)
        if (*(const uint32_t *)(thread + at) == own) {
            if (found)
                return 0;
            found = at;
        }
    return found;
}

static snapshot_table put_table(frazil_dump *to, const void *records, size_t each, uint32_t count, uint64_t tables)
{
    static const char zeros[8];
    snapshot_table made = {0, count};

    put(to, zeros, -to->written & 7);
    made.offset = (uint32_t)(to->written - tables);
    put(to, records, each * count);
    return made;
}

static void fill_header(frazil_dump *to, snapshot_header *header, uintptr_t resume)
{
    size_t length;
    void *robust = NULL;

    memcpy(header->magic, FRAZIL_SNAPSHOT_MAGIC, sizeof header->magic);
    header->version = FRAZIL_SNAPSHOT_VERSION;
    frazil_key_image(header->image);
    header->processor = frazil_key_processor();
    header->thread = (uintptr_t)__builtin_thread_pointer();
    frazil_kernel(SYS_get_robust_list, 0, &robust, &length);
    header->robust = (uintptr_t)robust;
    header->identity = find_identity();
    header->restartable_size = frazil_restartable_size();
    header->restartable = header->restartable_size ? __rseq_offset : 0;
    header->low = FRAZIL_WINDOW_HIGH;
    for (uint32_t i = 0; i < to->piece_count; i++) {
        const snapshot_piece *one = &to->pieces[i];
        if (one->address < FRAZIL_WINDOW_LOW)
            continue;
        header->low = one->address < header->low ? one->address : header->low;
        header->high = one->address + one->size > header->high ? one->address + one->size : header->high;
    }
    header->resume = resume;
    if (!header->identity || !header->robust)
        to->problem = "the C library is not one that is known";
}

/* glibc marks what is freed with a number that is another one in each process. */
static void say_mark(frazil_dump *to)
{
    for (size_t size = 1000; size > 500; size -= 16) { /* one of these sizes has room in the thread's cache, which it marks */
        uint64_t *volatile block = malloc(size);
        free(block);
        if (block[1] >> 47) {
            frazil_dump_say(to, "freed\t%lx\n", block[1]);
            return;
        }
    }
}

/* The end of the stack is kept where it is, too: what asked for a variable may keep the address of the answer. */
static void put_stack(frazil_dump *to)
{
    uintptr_t low = frazil_page_down(to->stack_low);
    snapshot_piece *piece = add_piece(to, PIECE_PAGES, low, to->stack_high, PROT_READ | PROT_WRITE);
    char *copy = frazil_window_scratch(piece->size);

    if (!copy) {
        frazil_dump_fail(to, ENOMEM);
        return;
    }
    memcpy(copy + (to->stack_low - low), (const void *)to->stack_low, to->stack_high - to->stack_low);
    piece->offset = to->written;
    piece->crc = frazil_crc32(0, copy, piece->size);
    put(to, copy, piece->size);
}

static void put_all(frazil_dump *to, uintptr_t resume)
{
    static const char page[PAGE];
    char executable[PATH_MAX];
    snapshot_header header = {.crc = 0};

    frazil_platform_executable(executable, sizeof executable);
    put(to, page, PAGE);
    put_program(to);
    put_stack(to);
    for (const frazil_mapping *one = to->mappings; one->high; one++)
        if (one->low >= FRAZIL_WINDOW_LOW && one->high <= FRAZIL_WINDOW_HIGH)
            put_by_parts(to, *one, executable);
    fill_header(to, &header, resume);
    header.tables = to->written;
    header.pieces = put_table(to, to->pieces, sizeof *to->pieces, to->piece_count, header.tables);
    header.objects = put_table(to, to->objects, sizeof *to->objects, to->object_count, header.tables);
    header.own = put_table(to, to->own, sizeof *to->own, to->own_count, header.tables);
    header.mangled = put_table(to, to->mangled, sizeof *to->mangled, to->mangled_count, header.tables);
    header.text = put_table(to, to->text, 1, to->text_size, header.tables);
    header.size = to->written;
    if (frazil_kernel(SYS_pwrite64, to->file, &header, sizeof header, 0) != sizeof header)
        frazil_dump_fail(to, EIO);
}

int frazil_dump_write(char *directory, uintptr_t resume)
{
    frazil_dump to = {.error = 0};

    to.layout = open_in(&to, directory, "layout");
    to.file = open_in(&to, directory, "snapshot");
    memset(directory, 0, strlen(directory)); /* its name is another each time */
    to.pieces = table(&to, sizeof *to.pieces);
    to.objects = table(&to, sizeof *to.objects);
    to.own = table(&to, sizeof *to.own);
    to.mangled = table(&to, sizeof *to.mangled);
    to.parts = table(&to, sizeof *to.parts);
    to.text = table(&to, TEXT_AT_MOST / RECORDS_AT_MOST);
    to.mappings = frazil_window_mappings();
    if (!to.mappings)
        frazil_dump_fail(&to, ENOMEM);
    if (to.error)
        return to.error;
    to.guard = *(const uint64_t *)((uintptr_t)__builtin_thread_pointer() + GUARD_OFFSET);
    to.core = frazil_key_core();
    find_places(&to);
    frazil_dump_text(&to, "");
    frazil_dump_parts(&to);
    frazil_dump_forget_files(&to);
    put_descriptors(&to);
    put_threads(&to);
    say_mark(&to);
    put_all(&to, resume);
    if (to.problem)
        frazil_dump_say(&to, "problem\t%s\n", to.problem);
    frazil_dump_say(&to, "end\n");
    return to.error;
}
