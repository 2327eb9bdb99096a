/* Native code from memory: see native/native.h.
 *
 * Theory of operation. A library of memfs and those libraries of memfs that it needs (native/plan.c) are a group. Each is
 * copied into a memfd of its own, or mapped from the executable (native/map.h). When there are several, one more library is
 * written that needs them all by path and holds nothing: opening it makes the dynamic linker map all of them before it looks at
 * what each needs, so that each DT_NEEDED is then satisfied by DT_SONAME; cycles, symbol scopes, the order of constructors and
 * the undoing of a failure are the dynamic linker's own.
 *
 * The dynamic linker takes two libraries for one when their paths, or their devices and inodes, are the same. Descriptors are
 * closed after loading and their numbers used again, so the path has a part of its own for each library (link_path).
 *
 * A group is never unloaded (RTLD_NODELETE): its path then stays known to the dynamic linker, and opening the library again is
 * opening that path, which gives the same handle and counts and promotes (RTLD_GLOBAL) as usual.
 *
 * The lock guards the list of groups and is never held while the dynamic linker runs: that has a lock of its own, and its
 * constructors may call back here. Two threads may load one group at the same time; the dynamic linker makes them one. */
#define _GNU_SOURCE
#include "native/native.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memfs/memfs.h"
#include "native/cache.h"
#include "native/map.h"
#include "native/plan.h"
#include "warm/warm.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

#define DESCRIPTORS "/proc/self/fd"
#define LINK_SIZE PATH_MAX

/* Defined in launchers of executables that were built warm. */
#pragma weak frazil_warm_loads

typedef struct library {
    char *name; /* see frazil_planned; also what the dynamic linker calls it once it is loaded */
    char *resolved;
    char *search;
    char *link; /* the path that the dynamic linker is given */
    int file; /* open while it loads, or -1 */
    frazil_holed holed; /* when its memfd has holes: elf.data is not NULL */
    uint32_t crc;
    size_t size;
} library;

typedef struct group {
    struct group *next;
    size_t count;
    library *libraries; /* `count`, and behind them the one that needs them all, when it is needed (has_last) */
    unsigned users; /* threads that are opening it */
    atomic_bool loaded;
    atomic_bool shown; /* show_names was here */
} group;

/* Whether there is a library that needs all others: to open them together, or to know when they are relocated. */
static bool has_last(const group *of)
{
    return of->libraries[of->count].link != NULL;
}

static struct {
    void *(*dlopen)(const char *, int);
    void *(*dlmopen)(Lmid_t, const char *, int);
    char *(*dlerror)(void);
    int (*dladdr)(const void *, Dl_info *);
    int (*dladdr1)(const void *, Dl_info *, void **, int);
} libc;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static group *groups;
static atomic_uint sequence; /* of libraries */
static atomic_uint loading; /* groups that are being opened */
static atomic_bool by_cache; /* memfds were found not to be loadable */
static atomic_bool debug;
static _Thread_local char *message; /* what dlerror says next */
static _Thread_local bool message_is_new;

void frazil_native_set_debug(bool on)
{
    debug = on;
}

/* A thread that held the lock does not exist in the child. */
static void unlock_in_child(void)
{
    pthread_mutex_init(&lock, NULL);
}

static void find_libc(void)
{
    *(void **)&libc.dlopen = dlsym(RTLD_NEXT, "dlopen");
    *(void **)&libc.dlmopen = dlsym(RTLD_NEXT, "dlmopen");
    *(void **)&libc.dlerror = dlsym(RTLD_NEXT, "dlerror");
    *(void **)&libc.dladdr = dlsym(RTLD_NEXT, "dladdr");
    *(void **)&libc.dladdr1 = dlsym(RTLD_NEXT, "dladdr1");
    pthread_atfork(NULL, NULL, unlock_in_child);
}

/* --- messages --- */

__attribute__((format(printf, 1, 2))) static void set_message(const char *format, ...)
{
    va_list arguments;

    free(message);
    va_start(arguments, format);
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    message_is_new = true;
}

/* `text` with each link of the group replaced by the library's name, to be freed. */
static char *with_names(const char *text, const group *of)
{
    char *made = NULL;
    size_t size;
    FILE *out = open_memstream(&made, &size);

    if (!out)
        return NULL;
    while (*text) {
        const library *called = NULL;
        for (size_t i = 0; *text == '/' && i < of->count + has_last(of); i++)
            if (strncmp(text, of->libraries[i].link, strlen(of->libraries[i].link)) == 0)
                called = &of->libraries[i];
        if (called)
            fputs(called->name, out);
        else
            fputc(*text, out);
        text += called ? strlen(called->link) : 1;
    }
    if (fclose(out) != 0) {
        free(made);
        return NULL;
    }
    return made;
}

static void take_message(const group *of)
{
    const char *text = libc.dlerror();
    const char *name = of->libraries[0].name;
    char *named = text ? with_names(text, of) : NULL;

    if (named && strncmp(named, name, strlen(name)) == 0)
        set_message("%s", named);
    else
        set_message("%s: %s", name, named ? named : "cannot be loaded");
    free(named);
}

/* --- copies that the dynamic linker can open --- */

/* Different for each library although descriptors are used again: the number of the library in binary, "/." for one and "/" for
 * zero, which the kernel passes over. */
static void link_path(char path[LINK_SIZE], int file)
{
    unsigned number = atomic_fetch_add(&sequence, 1) + 1;
    int bit = 31 - __builtin_clz(number);
    char *end = stpcpy(path, DESCRIPTORS);

    for (; bit >= 0; bit--)
        end = stpcpy(end, number >> bit & 1 ? "/." : "/");
    sprintf(end, "/%d", file);
}

/* A new memfd that may be executed, not 0, 1 or 2, which constructors write to; or -1. */
static int make_memfd(const char *name)
{
    const char *slash = strrchr(name, '/');
    char last[200];
    int file, moved;

    snprintf(last, sizeof last, "%s", slash ? slash + 1 : name);
    file = (int)syscall(SYS_memfd_create, last, MFD_CLOEXEC | MFD_EXEC);
    if (file < 0 && errno == EINVAL)
        file = (int)syscall(SYS_memfd_create, last, MFD_CLOEXEC);
    if (file >= 0 && file <= 2) {
        moved = fcntl(file, F_DUPFD_CLOEXEC, 3);
        close(file);
        file = moved;
    }
    if (frazil_warm_loads && file >= 0)
        frazil_warm_loads(file);
    return file;
}

static bool write_range(int file, const uint8_t *data, size_t offset, size_t length)
{
    while (length > 0) {
        ssize_t written = pwrite(file, data + offset, length, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        offset += (size_t)written;
        length -= (size_t)written;
    }
    return true;
}

/* Only what the dynamic linker reads is copied; the rest of the file is a hole. `elf` is NULL for content without such a rest.
 * `holed`: constant segments are mapped later (native/map.h). */
static bool fill_memfd(int file, const uint8_t *data, size_t size, const frazil_elf *elf, bool holed)
{
    bool (*extent)(const frazil_elf *, size_t *, size_t *, size_t *) = holed ? frazil_elf_link_extent : frazil_elf_extent;
    size_t offset, length;

    if (ftruncate(file, (off_t)size) != 0)
        return false;
    if (!elf)
        return write_range(file, data, 0, size);
    for (size_t at = 0; extent(elf, &at, &offset, &length);)
        if (!write_range(file, data, offset, length))
            return false;
    return true;
}

/* Whether the dynamic linker could load a memfd: there is /proc, and nothing forbids to execute memfds. */
static bool memfds_work(void)
{
    char path[LINK_SIZE];
    void *mapping = MAP_FAILED;
    int file = make_memfd("probe"), again = -1;

    if (file >= 0 && ftruncate(file, 4096) == 0) {
        link_path(path, file);
        again = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    }
    if (again >= 0) {
        mapping = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, again, 0);
        close(again);
    }
    if (mapping != MAP_FAILED)
        munmap(mapping, 4096);
    if (file >= 0)
        close(file);
    return mapping != MAP_FAILED;
}

/* Sets link and file of `one` to a copy of the content. */
static bool place(library *one, const uint8_t *data, size_t size, const frazil_elf *elf)
{
    char path[LINK_SIZE];

    one->file = -1;
    if (!by_cache) {
        one->file = make_memfd(one->name);
        if (one->file >= 0 && fill_memfd(one->file, data, size, elf, one->holed.elf.data != NULL)) {
            link_path(path, one->file);
            one->link = strdup(path);
            return one->link != NULL;
        }
        if (one->file >= 0)
            close(one->file);
        one->file = -1;
    }
    one->holed.elf.data = NULL;
    if (!frazil_native_cache(one->name, data, size, path))
        return false;
    one->link = strdup(path);
    return one->link != NULL;
}

static bool place_planned(library *one, const frazil_planned *planned)
{
    const uint8_t *data = planned->content.data;
    uint8_t *copy = NULL;
    bool placed;

    if (planned->renamed && (copy = malloc(planned->content.size))) {
        memcpy(copy, data, planned->content.size);
        if (frazil_elf_rename(&planned->elf, copy, planned->soname))
            data = copy;
    }
    if (data == planned->content.data && planned->content.in_image && frazil_native_can_map(&planned->elf))
        one->holed.elf = planned->elf; /* what is in the image stays */
    placed = place(one, data, planned->content.size, &planned->elf);
    free(copy);
    return placed;
}

/* The library that needs all others of the group. */
static bool place_last(group *of)
{
    const char **links = calloc(of->count, sizeof *links);
    library *last = &of->libraries[of->count];
    void *content = NULL;
    size_t size = 0;
    bool placed = false;

    for (size_t i = 0; links && i < of->count; i++)
        links[i] = of->libraries[i].link;
    if (links)
        size = frazil_elf_write_group(NULL, 0, links, of->count, FRAZIL_RELOCATED);
    content = size ? malloc(size) : NULL;
    if (content && asprintf(&last->name, "%s.group", of->libraries[0].name) >= 0) {
        frazil_elf_write_group(content, size, links, of->count, FRAZIL_RELOCATED);
        placed = place(last, content, size, NULL);
    }
    free(content);
    free(links);
    return placed;
}

/* --- groups --- */

static void close_files(group *of)
{
    for (size_t i = 0; i <= of->count; i++) {
        if (of->libraries[i].file >= 0)
            close(of->libraries[i].file);
        of->libraries[i].file = -1;
    }
}

static void free_group(group *of)
{
    if (!of)
        return;
    close_files(of);
    for (size_t i = 0; i <= of->count; i++) {
        free(of->libraries[i].name);
        free(of->libraries[i].resolved);
        free(of->libraries[i].search);
        free(of->libraries[i].link);
    }
    free(of->libraries);
    free(of);
}

static group *new_group(size_t count)
{
    group *made = calloc(1, sizeof *made);

    if (!made || !(made->libraries = calloc(count + 1, sizeof *made->libraries))) {
        free(made);
        return NULL;
    }
    made->count = count;
    for (size_t i = 0; i <= count; i++)
        made->libraries[i].file = -1;
    return made;
}

/* NULL after a message. Takes the plan's names. */
static group *make_group(frazil_plan *plan)
{
    group *made = new_group(plan->count);
    bool placed = made != NULL;

    for (size_t i = 0; placed && i < plan->count; i++) {
        frazil_planned *planned = &plan->libraries[i];
        library *one = &made->libraries[i];
        one->name = planned->name;
        one->resolved = planned->resolved;
        one->search = planned->search;
        planned->name = planned->resolved = planned->search = NULL;
        one->crc = planned->crc;
        one->size = planned->content.size;
        placed = place_planned(one, planned);
        if (!placed)
            set_message("%s: cannot be loaded: neither a memfd nor a private cache directory can be had", one->name);
    }
    if (placed && (made->count > 1 || made->libraries[0].holed.elf.data) && !place_last(made)) {
        set_message("%s: cannot be loaded: out of memory", made->libraries[0].name);
        placed = false;
    }
    if (!made)
        set_message("%s: cannot be loaded: out of memory", plan->libraries[0].name);
    if (placed)
        return made;
    free_group(made);
    return NULL;
}

/* Under the lock. */
static group *find_published(const char *resolved, uint32_t crc, size_t size, library **one)
{
    for (group *of = groups; of; of = of->next)
        for (size_t i = 0; i < of->count; i++)
            if (of->libraries[i].crc == crc && of->libraries[i].size == size
                && strcmp(of->libraries[i].resolved, resolved) == 0) {
                *one = &of->libraries[i];
                return of;
            }
    return NULL;
}

/* The group of a library, marked as used by this thread; NULL when it is not known. */
static group *acquire(const char *resolved, uint32_t crc, size_t size, library **one)
{
    group *found;

    pthread_mutex_lock(&lock);
    found = find_published(resolved, crc, size, one);
    if (found)
        found->users++;
    pthread_mutex_unlock(&lock);
    return found;
}

/* Make the group known, marked as used by this thread; false when another thread made one of its libraries known meanwhile. */
static bool publish(group *made)
{
    library *other;
    bool is_new = true;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < made->count && is_new; i++)
        is_new = !find_published(made->libraries[i].resolved, made->libraries[i].crc, made->libraries[i].size, &other);
    if (is_new) {
        made->users = 1;
        made->next = groups;
        groups = made;
    }
    pthread_mutex_unlock(&lock);
    return is_new;
}

/* The counterpart of acquire and publish. The last thread closes the descriptors, or forgets a group that could not be loaded.
 */
static void release(group *of, bool loaded)
{
    group *failed = NULL;

    pthread_mutex_lock(&lock);
    if (loaded)
        of->loaded = true;
    if (--of->users == 0 && of->loaded)
        close_files(of);
    else if (of->users == 0) {
        for (group **at = &groups; *at; at = &(*at)->next)
            if (*at == of) {
                *at = of->next;
                break;
            }
        failed = of;
    }
    pthread_mutex_unlock(&lock);
    free_group(failed);
}

/* Let dladdr, dl_iterate_phdr and messages show where the library lies in memfs. The dynamic linker compares l_name with names
 * that it is given, and frees it only when it unloads the library. */
static void show_names(group *of)
{
    if (atomic_exchange(&of->shown, true))
        return;
    for (size_t i = 0; i < of->count + has_last(of); i++) {
        const library *one = &of->libraries[i];
        struct link_map *map;
        void *handle = libc.dlopen(one->link, RTLD_LAZY | RTLD_NOLOAD);
        if (handle && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0)
            __atomic_store_n(&map->l_name, one->name, __ATOMIC_RELEASE); /* other threads may be reading it */
        if (debug && i < of->count)
            dprintf(STDERR_FILENO, "frazil: native: %s: by %s%s\n", one->name, one->file >= 0 ? "memfd" : "cache directory ",
                one->file >= 0 ? "" : one->link);
    }
}

/* Open the library that needs all others. */
static void *open_last(group *of, int flags)
{
    frazil_holed *first = NULL, *before;
    void *handle;

    for (size_t i = 0; i < of->count; i++) {
        frazil_holed *holed = &of->libraries[i].holed;
        if (!holed->elf.data)
            continue;
        holed->link = of->libraries[i].link;
        holed->file = of->libraries[i].file;
        holed->next = first;
        first = holed;
    }
    before = frazil_native_begin(first);
    handle = libc.dlopen(of->libraries[of->count].link, flags | RTLD_NODELETE);
    frazil_native_end(before);
    return handle;
}

/* Open a library of a group that this thread uses; ends the use. NULL after a message, or for RTLD_NOLOAD without one. */
static void *open_library(group *of, const library *one, int flags)
{
    bool loaded = of->loaded;
    void *handle = NULL;

    if (loaded || flags & RTLD_NOLOAD) {
        handle = libc.dlopen(one->link, flags);
    } else {
        atomic_fetch_add(&loading, 1);
        if (!has_last(of) || open_last(of, flags))
            handle = libc.dlopen(one->link, flags | RTLD_NODELETE);
        if (handle)
            show_names(of);
        loaded = handle != NULL;
        atomic_fetch_sub(&loading, 1);
    }
    if (!handle && !(flags & RTLD_NOLOAD))
        take_message(of);
    release(of, loaded);
    return handle;
}

/* For the planner. Another thread may be about to load the group: then it is loaded here and now, so that its names are known.
 */
static bool is_loaded(const char *resolved, uint32_t crc, size_t size)
{
    library *one;
    group *of = acquire(resolved, crc, size, &one);

    return of && open_library(of, one, RTLD_LAZY);
}

typedef enum outcome { DONE, AGAIN } outcome;

static outcome try_open(const char *path, int flags, void **handle)
{
    char resolved[PATH_MAX];
    frazil_plan plan;
    group *of = NULL;
    library *one = NULL;
    outcome result = DONE;
    bool planned = frazil_plan_make(&plan, path, is_loaded);

    *handle = NULL;
    if (!planned) {
        set_message(
            "%s%s%s", plan.problem ? plan.problem : path, plan.problem ? "" : ": ", plan.problem ? "" : "out of memory");
        if (plan.problem && strncmp(plan.problem, path, strlen(path)) != 0)
            set_message("%s: %s", path, plan.problem);
        goto done;
    }
    snprintf(resolved, sizeof resolved, "%s", plan.libraries[0].resolved);
    of = acquire(resolved, plan.libraries[0].crc, plan.libraries[0].content.size, &one);
    if (!of && flags & RTLD_NOLOAD)
        goto done;
    if (!of) {
        of = make_group(&plan);
        if (!of)
            goto done;
        if (!publish(of)) {
            free_group(of);
            result = AGAIN;
            goto done;
        }
        one = &of->libraries[0];
    }
    *handle = open_library(of, one, flags);
    if (!*handle && !(flags & RTLD_NOLOAD) && !by_cache && !memfds_work()) {
        by_cache = true;
        result = AGAIN;
    }

done:
    frazil_plan_free(&plan);
    return result;
}

void *frazil_native_dlopen(const char *path, int flags)
{
    void *handle;

    pthread_once(&once, find_libc);
    message_is_new = false;
    while (try_open(path, flags, &handle) == AGAIN)
        ;
    if (handle)
        message_is_new = false;
    return handle;
}

/* --- what the launcher defines in libc's place --- */

/* The library of ours that an address belongs to, by what the dynamic linker calls it. Strings stay valid: what is loaded
 * stays. */
static const library *library_called(const char *called)
{
    const library *found = NULL;

    pthread_mutex_lock(&lock);
    for (const group *of = groups; of && !found; of = of->next)
        for (size_t i = 0; i < of->count && !found; i++)
            if (called == of->libraries[i].name || strcmp(called, of->libraries[i].link) == 0)
                found = &of->libraries[i];
    pthread_mutex_unlock(&lock);
    return found;
}

/* The path in memfs that dlopen(`name`) means when code at `caller` calls it, to be freed; NULL when it means none. */
__attribute__((noinline)) static char *path_in_memory(const char *name, const void *caller)
{
    const library *by = NULL;
    Dl_info info;

    pthread_once(&once, find_libc);
    message_is_new = false;
    if (!name || !*name)
        return NULL;
    if (strchr(name, '/'))
        return frazil_memfs_owns(name) ? strdup(name) : NULL;
    if (frazil_plan_has_soname(name))
        return NULL;
    if (libc.dladdr(caller, &info) && info.dli_fname)
        by = library_called(info.dli_fname);
    return frazil_plan_find(name, by ? by->search : NULL);
}

__attribute__((noinline)) static void *open_and_free(char *path, int flags)
{
    void *handle = frazil_native_dlopen(path, flags);

    free(path);
    return handle;
}

void *dlopen(const char *name, int flags)
{
    char *path = path_in_memory(name, __builtin_return_address(0));

    if (path)
        return open_and_free(path, flags);
    /* A tail call, so that libc sees who called: it looks into the caller's DT_RUNPATH. */
    return libc.dlopen(name, flags);
}

void *dlmopen(Lmid_t namespace, const char *name, int flags)
{
    char *path = namespace == LM_ID_BASE ? path_in_memory(name, __builtin_return_address(0)) : NULL;

    pthread_once(&once, find_libc);
    if (path)
        return open_and_free(path, flags);
    return libc.dlmopen(namespace, name, flags);
}

char *dlerror(void)
{
    pthread_once(&once, find_libc);
    if (!message_is_new)
        return libc.dlerror();
    message_is_new = false;
    return message ? message : (char *)"out of memory";
}

/* While constructors run, the dynamic linker still knows their library by its link. */
static int with_name(int found, Dl_info *info)
{
    const library *one = found && info->dli_fname && loading ? library_called(info->dli_fname) : NULL;

    if (one)
        info->dli_fname = one->name;
    return found;
}

int dladdr(const void *address, Dl_info *info)
{
    pthread_once(&once, find_libc);
    return with_name(libc.dladdr(address, info), info);
}

int dladdr1(const void *address, Dl_info *info, void **extra, int flags)
{
    pthread_once(&once, find_libc);
    return with_name(libc.dladdr1(address, info, extra, flags), info);
}
