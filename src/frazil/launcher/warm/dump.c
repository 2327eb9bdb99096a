/* Writes what the process is, for the builder to make a snapshot of (docs/spec/snapshot.md, "Dumps").
 *
 * "memory" holds pages, one range after the other; "layout" says in lines of text what they are and what else is where. Nothing
 * here takes memory from the region, which is being written. */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libc/real.h"
#include "memfs/fd.h"
#include "memfs/kernel.h"
#include "memfs/memfs.h"
#include "platform/platform.h"
#include "warm/key.h"
#include "warm/record.h"
#include "warm/region.h"
#include "warm/warm.h"

#define PAGE 4096ul
#define IMAGE 0x2000000000ul /* image and snapshot are segments of the program, but none of its data */

typedef struct dump {
    int layout;
    int memory;
    uint64_t offset; /* in "memory" */
    int error;
    const char *object;
} dump;

static uintptr_t down(uintptr_t address)
{
    return address & ~(PAGE - 1);
}

static uintptr_t up(uintptr_t address)
{
    return down(address + PAGE - 1);
}

static void write_all(dump *to, int file, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0 && to->error == 0) {
        long written = frazil_kernel(SYS_write, file, at, size);
        if (written == -EINTR)
            continue;
        if (written <= 0) {
            to->error = written < 0 ? (int)-written : EIO;
            return;
        }
        at += written;
        size -= (size_t)written;
    }
}

__attribute__((format(printf, 2, 3))) static void say(dump *to, const char *format, ...)
{
    char line[PATH_MAX + 256];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    write_all(to, to->layout, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

/* A range of memory: its kind, address, size and place in "memory". */
static void put(dump *to, const char *kind, uintptr_t start, size_t size, const char *name)
{
    say(to, "%s\t%lx\t%lx\t%lx\t%s\n", kind, start, size, to->offset, name);
    write_all(to, to->memory, (const void *)start, size);
    to->offset += size;
}

/* -- objects ---------------------------------------------------------------------------------------------------------- */

static void put_writable(dump *to, const struct dl_phdr_info *info, const char *name)
{
    uintptr_t fixed = 0;
    bool program = !*info->dlpi_name;

    for (int i = 0; program && i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
            fixed = up(info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *one = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + one->p_vaddr, end = start + one->p_memsz;

        if (one->p_type != PT_LOAD || !(one->p_flags & PF_W))
            continue;
        start = down(start);
        if (start < fixed && fixed < end)
            start = fixed;
        put(to, program ? "program" : "library", start, up(end) - start, name);
    }
}

/* A name of the image: what the launcher loaded from it. */
static bool is_ours(const char *name)
{
    return strncmp(name, FRAZIL_MOUNT "/", sizeof FRAZIL_MOUNT) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static int put_object(struct dl_phdr_info *info, size_t size, void *context)
{
    dump *to = context;
    const char *name = *info->dlpi_name ? info->dlpi_name : "program";
    uintptr_t low = UINTPTR_MAX, high = 0;
    size_t thread_local_size = 0;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *one = &info->dlpi_phdr[i];
        if (one->p_type == PT_LOAD && (one->p_vaddr < IMAGE || one->p_vaddr >= FRAZIL_REGION_ADDRESS)) {
            low = info->dlpi_addr + one->p_vaddr < low ? info->dlpi_addr + one->p_vaddr : low;
            high = info->dlpi_addr + one->p_vaddr + one->p_memsz > high ? info->dlpi_addr + one->p_vaddr + one->p_memsz : high;
        }
        if (one->p_type == PT_TLS)
            thread_local_size = one->p_memsz;
    }
    if (is_ours(name) && ends_with(name, ".group")) /* holds nothing that anybody refers to */
        return 0;
    say(to, "object\t%lx\t%lx\t%lx\t%s\n", (unsigned long)info->dlpi_addr, low, high, name);
    if (!*info->dlpi_name || is_ours(name)) {
        put_writable(to, info, name);
        if (thread_local_size && info->dlpi_tls_data)
            put(to, "thread", (uintptr_t)info->dlpi_tls_data, thread_local_size, name);
        else if (thread_local_size)
            say(to, "untouched\t0\t0\t0\t%s\n", name);
    }
    return 0;
}

/* -- what does not survive -------------------------------------------------------------------------------------------- */

static void put_descriptors(dump *to)
{
    char entries[8192], path[64], target[PATH_MAX];
    int directory = (int)frazil_kernel(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    long length;

    while (directory >= 0 && (length = frazil_kernel(SYS_getdents64, directory, entries, sizeof entries)) > 0)
        for (long at = 0; at < length;) {
            struct dirent64 *entry = (struct dirent64 *)(entries + at);
            int number = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);
            at += entry->d_reclen;
            if (number <= 2 || number == directory || number == to->layout || number == to->memory
                || number == frazil_record_file())
                continue;
            snprintf(path, sizeof path, "/proc/self/fd/%d", number);
            long size = frazil_kernel(SYS_readlinkat, AT_FDCWD, path, target, sizeof target - 1);
            target[size > 0 ? size : 0] = '\0';
            say(to, "descriptor\t%x\t0\t0\t%s\n", (unsigned)number, target);
        }
    if (directory >= 0)
        frazil_kernel(SYS_close, directory);
}

static void put_threads(dump *to)
{
    char entries[8192];
    int directory = (int)frazil_kernel(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    long length, count = 0;

    while (directory >= 0 && (length = frazil_kernel(SYS_getdents64, directory, entries, sizeof entries)) > 0)
        for (long at = 0; at < length; at += ((struct dirent64 *)(entries + at))->d_reclen)
            count += ((struct dirent64 *)(entries + at))->d_name[0] != '.';
    if (directory >= 0)
        frazil_kernel(SYS_close, directory);
    if (count > 1)
        say(to, "running\t%lx\t0\t0\t\n", count - 1);
}

/* Mappings and threads, as the kernel lists them. */
static void copy_text(dump *to, const char *kind, const char *path)
{
    char buffer[16384];
    int file = (int)frazil_kernel(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    long length;

    say(to, "%s\t0\t0\t0\t\n", kind);
    while (file >= 0 && (length = frazil_kernel(SYS_read, file, buffer, sizeof buffer)) > 0)
        write_all(to, to->layout, buffer, (size_t)length);
    if (file >= 0)
        frazil_kernel(SYS_close, file);
}

static int open_in(const char *directory, const char *name, int *error)
{
    char path[PATH_MAX];
    int file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = (int)frazil_kernel(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        *error = -file;
    return file;
}

/* The program's data as it was when main began: what constructors made of it. */
static void *pristine;
static size_t pristine_size;
static uintptr_t pristine_start;

static int keep_pristine(struct dl_phdr_info *info, size_t size, void *context)
{
    uintptr_t fixed = 0;

    (void)size;
    (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
            fixed = up(info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *one = &info->dlpi_phdr[i];
        if (one->p_type != PT_LOAD || !(one->p_flags & PF_W))
            continue;
        pristine_start = down(one->p_vaddr) < fixed ? fixed : down(one->p_vaddr);
        pristine_size = up(one->p_vaddr + one->p_memsz) - pristine_start;
    }
    pristine = mmap(NULL, pristine_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pristine == MAP_FAILED)
        pristine = NULL;
    else
        memcpy(pristine, (const void *)pristine_start, pristine_size);
    return 1; /* the program comes first */
}

static char *directory;
static char **modules;

bool frazil_warm_begin(int *argc, char ***argv)
{
    static char *replaced[] = {(char *)FRAZIL_WARM_MAKER, NULL};
    int notes, error;

    if (*argc < 2 || strcmp((*argv)[0], FRAZIL_WARM_MAKER) != 0 || frazil_platform_has_more_rights())
        return false;
    if (!frazil_region_make()) {
        fprintf(stderr, "frazil: warm: the addresses of the region are taken\n");
        _exit(1);
    }
    dl_iterate_phdr(keep_pristine, NULL);
    notes = open_in((*argv)[1], "notes", &error);
    frazil_record_to(notes < 0 ? -1 : (int)frazil_kernel(SYS_fcntl, notes, F_DUPFD_CLOEXEC, 900));
    frazil_kernel(SYS_close, notes);
    frazil_warm = FRAZIL_WARM_MAKING;
    frazil_no_guest();
    directory = strdup((*argv)[1]);
    modules = calloc((size_t)*argc, sizeof *modules);
    for (int i = 2; i < *argc; i++)
        modules[i - 2] = strdup((*argv)[i]);
    *argc = 1;
    *argv = replaced;
    return true;
}

char **frazil_warm_modules(void)
{
    return modules;
}

int frazil_warm_dump(void)
{
    dump to = {.error = 0};
    bool kept;
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();

    frazil_record_prepare();
    kept = frazil_record_keep();
    frazil_warm = FRAZIL_WARM_DUMPING;
    to.layout = open_in(directory, "layout", &to.error);
    to.memory = open_in(directory, "memory", &to.error);
    if (to.error == 0) {
        say(&to, "dump\t1\t%x\t0\t%lx\n", kept, (unsigned long)frazil_key_processor());
        say(&to, "linker\t%lx\t0\t0\t\n", getauxval(AT_BASE));
        say(&to, "vdso\t%lx\t0\t0\t\n", getauxval(AT_SYSINFO_EHDR));
        say(&to, "self\t%lx\t0\t0\t\n", thread);
        put(&to, "region", FRAZIL_REGION_ADDRESS, frazil_region_used(), "");
        dl_iterate_phdr(put_object, &to);
        if (pristine) {
            say(&to, "pristine\t%lx\t%lx\t%lx\t\n", pristine_start, pristine_size, to.offset);
            write_all(&to, to.memory, pristine, pristine_size);
            to.offset += pristine_size;
        }
        put_descriptors(&to);
        put_threads(&to);
        copy_text(&to, "mappings", "/proc/self/maps");
        say(&to, "end\t0\t0\t0\t\n");
    }
    return to.error;
}
