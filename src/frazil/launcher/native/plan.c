/* Which libraries of memfs must be loaded together: see native/plan.h. The search is that of ld.so(8), within memfs. */
#define _GNU_SOURCE
#include "native/plan.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/crc32.h"

/* A bound against damaged files that need each other without end; the largest real programs have some hundreds. */
#define MOST_LIBRARIES 4096

/* The C library's own parts: there is one in each process, and it is the host's. */
static bool is_libc(const char *name)
{
    static const char *const names[] = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1",
        "libresolv.so.2", "libanl.so.1", "libmvec.so.1", "libnsl.so.1", "libthread_db.so.1", "libBrokenLocale.so.1",
        "libnss_compat.so.2", "libnss_db.so.2", "libnss_dns.so.2", "libnss_files.so.2", "libnss_hesiod.so.2",
        "libc_malloc_debug.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "linux-vdso.so.1"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static int compare_soname(struct dl_phdr_info *info, size_t size, void *wanted)
{
    const ElfW(Dyn) *dynamic = NULL;
    uintptr_t strings = 0, soname = 0;
    bool named = false;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_STRTAB)
            strings = dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_SONAME) {
            soname = dynamic->d_un.d_val;
            named = true;
        }
    }
    if (!named || !strings)
        return 0;
    if (strings < info->dlpi_addr) /* glibc relocates the entry in place, except in the kernel's own object */
        strings += info->dlpi_addr;
    return strcmp((const char *)(strings + soname), wanted) == 0;
}

bool frazil_plan_has_soname(const char *soname)
{
    return dl_iterate_phdr(compare_soname, (void *)soname) != 0;
}

static char *find_in(const char *directory, size_t length, const char *name)
{
    char resolved[PATH_MAX];
    char *path;

    if (length == 0 || asprintf(&path, "%.*s/%s", (int)length, directory, name) < 0)
        return NULL;
    if (frazil_memfs_owns(path) && frazil_memfs_realpath(path, resolved, sizeof resolved) == 0)
        return path;
    free(path);
    return NULL;
}

char *frazil_plan_find(const char *name, const char *search)
{
    char *found = NULL;

    if (is_libc(name))
        return NULL;
    while (search && *search && !found) {
        size_t length = strcspn(search, "\n");
        found = find_in(search, length, name);
        search += length + (search[length] != '\0');
    }
    return found ? found : find_in(FRAZIL_MOUNT "/lib", strlen(FRAZIL_MOUNT "/lib"), name);
}

/* `list` (DT_RPATH, DT_RUNPATH) with $ORIGIN replaced, directories joined by line ends because the mount has a colon in it. An
 * entry with another $TOKEN never names a directory of memfs and is left out. NULL when memory is short. */
static char *expand(const char *list, const char *name)
{
    const char *slash = strrchr(name, '/');
    int origin = slash ? (int)(slash - name) : 0;
    char *expanded = NULL;
    size_t size;
    FILE *out = open_memstream(&expanded, &size);

    if (!out)
        return NULL;
    for (const char *at = list; *at;) {
        /* The mount's own colon does not end an entry. */
        size_t mount = strncmp(at, FRAZIL_MOUNT, strlen(FRAZIL_MOUNT)) == 0 ? strlen(FRAZIL_MOUNT) : 0;
        size_t length = mount + strcspn(at + mount, ":");
        size_t token = strncmp(at, "$ORIGIN", 7) == 0 ? 7 : strncmp(at, "${ORIGIN}", 9) == 0 ? 9 : 0;
        if (token && (token == length || (token < length && at[token] == '/')))
            fprintf(out, "%.*s%.*s\n", origin, name, (int)(length - token), at + token);
        else if (length && !memchr(at, '$', length))
            fprintf(out, "%.*s\n", (int)length, at);
        at += length + (at[length] == ':');
    }
    if (fclose(out) != 0) {
        free(expanded);
        return NULL;
    }
    return expanded;
}

/* ld.so(8): DT_RUNPATH holds for the library alone and hides DT_RPATH; DT_RPATH holds for what its libraries need, too. */
static bool set_search(frazil_planned *library, const char *inherited)
{
    char *own = NULL;
    bool made;

    if (library->elf.runpath) {
        library->search = expand(library->elf.runpath, library->name);
        library->inherited = strdup(inherited);
        return library->search && library->inherited;
    }
    own = expand(library->elf.rpath ? library->elf.rpath : "", library->name);
    made = own && asprintf(&library->search, "%s%s", own, inherited) >= 0;
    library->inherited = made ? strdup(library->search) : NULL;
    free(own);
    return library->inherited != NULL;
}

static bool say(frazil_plan *plan, const char *name, const char *problem)
{
    if (asprintf(&plan->problem, "%s: %s", name, problem) < 0)
        plan->problem = NULL;
    return false;
}

static bool say_error(frazil_plan *plan, const char *name, int error)
{
    char problem[256];

    snprintf(problem, sizeof problem, "cannot open shared object file: %s%s", strerror(error),
        error == EIO ? " (this executable is damaged)" : "");
    return say(plan, name, problem);
}

/* A library at the end of the plan, empty. The array moves. */
static frazil_planned *append(frazil_plan *plan)
{
    frazil_planned *grown
        = plan->count < MOST_LIBRARIES ? reallocarray(plan->libraries, plan->count + 1, sizeof *plan->libraries) : NULL;

    if (!grown)
        return NULL;
    plan->libraries = grown;
    grown[plan->count] = (frazil_planned){0};
    return &grown[plan->count++];
}

static void forget(frazil_planned *library)
{
    if (library->content.data)
        frazil_content_release(&library->content);
    free(library->name);
    free(library->resolved);
    free(library->soname);
    free(library->search);
    free(library->inherited);
}

/* "memfs:/x" and relative paths, which decide no $ORIGIN, become the resolved path; an absolute one stays as it was asked for.
 */
static char *name_of(const char *path, const char *resolved)
{
    return strdup(strncmp(path, FRAZIL_MOUNT "/", strlen(FRAZIL_MOUNT "/")) == 0 ? path : resolved);
}

/* Put the library at `path` into the plan, unless it is there or loaded. `needed_as` is what another library calls it, or NULL.
 */
static bool add(frazil_plan *plan, const char *path, const char *needed_as, const char *inherited, frazil_is_loaded *is_loaded)
{
    char resolved[PATH_MAX];
    const char *problem;
    frazil_planned *library;
    int error = frazil_memfs_realpath(path, resolved, sizeof resolved);

    if (error)
        return say_error(plan, path, error);
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->libraries[i].resolved, resolved) == 0)
            return true;
    library = append(plan);
    if (!library)
        return say(plan, path, "it needs too many libraries");
    library->name = name_of(path, resolved);
    library->resolved = strdup(resolved);
    if (!library->name || !library->resolved)
        return say(plan, path, "out of memory");
    error = frazil_content_open(resolved, &library->content);
    if (error)
        return say_error(plan, path, error);
    library->crc
        = library->content.in_image ? library->content.crc : frazil_crc32(0, library->content.data, library->content.size);
    if (needed_as && is_loaded(resolved, library->crc, library->content.size)) {
        forget(library);
        plan->count--;
        return true;
    }
    problem = frazil_elf_open(&library->elf, library->content.data, library->content.size);
    if (problem)
        return say(plan, path, problem);
    /* Whoever needs it will look for that name, and the dynamic linker compares it with DT_SONAME alone. */
    library->renamed = needed_as && (!library->elf.soname || strcmp(library->elf.soname, needed_as) != 0);
    if (library->renamed || library->elf.soname) {
        library->soname = strdup(library->renamed ? needed_as : library->elf.soname);
        if (!library->soname)
            return say(plan, path, "out of memory");
    }
    return set_search(library, inherited) || say(plan, path, "out of memory");
}

static bool is_planned(const frazil_plan *plan, const char *soname)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->libraries[i].soname && strcmp(plan->libraries[i].soname, soname) == 0)
            return true;
    return false;
}

bool frazil_plan_make(frazil_plan *plan, const char *path, frazil_is_loaded *is_loaded)
{
    *plan = (frazil_plan){0};
    if (!add(plan, path, NULL, "", is_loaded))
        return false;
    for (size_t i = 0; i < plan->count; i++) {
        const char *needed;
        for (size_t at = 0; (needed = frazil_elf_needed(&plan->libraries[i].elf, &at));) {
            bool added = true;
            char *found;
            if (is_planned(plan, needed) || is_libc(needed) || frazil_plan_has_soname(needed))
                continue;
            if (strchr(needed, '/'))
                found = frazil_memfs_owns(needed) ? strdup(needed) : NULL;
            else
                found = frazil_plan_find(needed, plan->libraries[i].search);
            if (found)
                added = add(plan, found, needed, plan->libraries[i].inherited, is_loaded);
            free(found);
            if (!added)
                return false;
        }
    }
    return true;
}

void frazil_plan_free(frazil_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        forget(&plan->libraries[i]);
    free(plan->libraries);
    free(plan->problem);
    *plan = (frazil_plan){0};
}
