/* Maps a snapshot back: from here on the process is the one that the snapshot was made of, as a child is after fork.
 *
 * Theory of operation. The process that begins has a C library and a dynamic linker somewhere; those of the snapshot stand in
 * the window. First everything is put in its place that is nowhere in use: pages of the snapshot are moved there from where the
 * kernel mapped them with the program, so no file is opened for them. What does not fit or hold until then leads to a cold
 * start in this process. Then, calling nothing but the kernel: what this process must keep is read; code and constants of the C
 * library and the dynamic linker are moved into the window; the program's data is replaced; the thread pointer is set; and what
 * was read is written. What comes after that can fail only if the snapshot is wrong although its checksums hold; then, or at a
 * fault, the program executes itself once more, with a mark in the environment that makes it start cold. */
#define _GNU_SOURCE
#include "warm/restore.h"

#include <langinfo.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libc/real.h"
#include "memfs/kernel.h"
#include "platform/platform.h"
#include "warm/cache.h"
#include "warm/exchange.h"
#include "warm/key.h"
#include "warm/pieces.h"
#include "warm/record.h"
#include "warm/restartable.h"
#include "warm/warm.h"
#include "warm/window.h"

#define NO_ADDRESSES "the snapshot's addresses are taken, or the limit of address space is too low"

frazil_warm_state frazil_warm;
int (*frazil_warm_resume)(const frazil_core *core);

/* -- the start -------------------------------------------------------------------------------------------------------- */

/* Why this process starts cold whatever the snapshot is; NULL when it may start warm. */
static const char *reason_for_cold(char **argv)
{
    static const char mount[] = "/memfs:/";

    if (frazil_key_variable(FRAZIL_WARM_COLD)) {
        FRAZIL_REAL_OF(unsetenv)(FRAZIL_WARM_COLD);
        return "the warm start failed";
    }
    if (!argv[0] || (strncmp(argv[0], mount, sizeof mount - 1) == 0 && strcmp(argv[0], FRAZIL_WARM_TRIAL) != 0))
        return "this is the interpreter";
    if (frazil_platform_has_more_rights())
        return "the program has more rights than its user";
    return NULL;
}

static bool make_fresh(int argc, char **argv, bool debug, uint64_t begun)
{
    long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    pthread_attr_t attributes;

    if (frazil_kernel(SYS_mmap, FRAZIL_FRESH, FRAZIL_PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) != (long)FRAZIL_FRESH)
        return false;
    *FRAZIL_FRESH = (frazil_fresh){
        .argc = argc,
        .debug = debug,
        .argv = argv,
        .environment = environ,
        .file = (const char *)getauxval(AT_EXECFN),
        .begun = begun,
    };
    if (pthread_getattr_default_np(&attributes) == 0)
        pthread_attr_getstacksize(&attributes, &FRAZIL_FRESH->thread_stack);
    return true;
}

static const char *find_damage(const frazil_snapshot *snapshot)
{
    if (!frazil_pieces_are_sound(snapshot))
        return "the snapshot is damaged: a piece lies outside";
    return frazil_pieces_hold(snapshot) ? NULL : "the snapshot is damaged: its pages do not hold";
}

/* Returns when the process stays as it is, with the reason. */
static const char *restore(const frazil_snapshot *snapshot, frazil_exchange *with)
{
    if (!frazil_window_reserve(snapshot->header->low, snapshot->header->high - snapshot->header->low))
        return NO_ADDRESSES;
    if (!frazil_pieces_put(snapshot)) {
        frazil_kernel(SYS_munmap, snapshot->header->low, snapshot->header->high - snapshot->header->low);
        return "memory cannot be mapped";
    }
    with->data = snapshot->data;
    with->header = snapshot->header;
    with->pieces = frazil_pieces_of(snapshot);
    with->objects = frazil_snapshot_table(snapshot, snapshot->header->objects);
    with->own = frazil_snapshot_table(snapshot, snapshot->header->own);
    with->mangled = frazil_snapshot_table(snapshot, snapshot->header->mangled);
    frazil_exchange_keep(with);
    frazil_warm_guard();
    frazil_restartable_leave();
    frazil_exchange_run(with);
}

/* FRAZIL_DEBUG=key */
static bool tells_time(void)
{
    const char *debug = frazil_key_variable("FRAZIL_DEBUG");

    return debug && !frazil_platform_has_more_rights() && strcmp(debug, "key") == 0;
}

/* Whether the snapshot can be used and fits; `need` receives what would be needed otherwise. */
static const char *check(frazil_snapshot *snapshot, frazil_bases *bases, frazil_need *need, const char **detail)
{
    const char *why = frazil_snapshot_open(snapshot);

    *need = FRAZIL_NEED_OTHER;
    if (!why)
        why = frazil_key_elsewhere(snapshot, bases, detail);
    if (why)
        return why;
    *need = FRAZIL_NEED_NEWER;
    return frazil_key_check(snapshot, detail);
}

/* A snapshot that checks out and cannot be restored: only one that was made here can be taken away. */
static void forget_after_fault(const frazil_cache *cache)
{
    const char *mark = frazil_key_variable(FRAZIL_WARM_COLD);

    if (mark && strcmp(mark, FRAZIL_WARM_AFTER_FAULT) == 0 && !frazil_platform_has_more_rights())
        frazil_cache_discard(cache);
}

void frazil_warm_start(int argc, char **argv, bool debug, uint64_t begun, frazil_setting *setting)
{
    bool trial = argc > 0 && strcmp(argv[0], FRAZIL_WARM_TRIAL) == 0;
    frazil_need need = FRAZIL_NEED_NONE;
    frazil_snapshot snapshot = {.data = NULL};
    frazil_cache cache;
    frazil_exchange with = {.linker = 0};
    uint64_t asked = frazil_platform_now();
    bool cached = !frazil_snapshot_find(&snapshot) && frazil_cache_is_used(&cache, setting);
    const char *detail = "", *why;

    if (!snapshot.data && !cached)
        return;
    if (cached)
        forget_after_fault(&cache);
    why = reason_for_cold(argv);
    if (!why)
        why = frazil_key_never(&detail);
    if (!why && cached)
        why = frazil_cache_find(&cache, trial ? argv[1] : NULL, &snapshot, &need);
    if (!why)
        why = check(&snapshot, &with.bases, &need, &detail);
    if (tells_time())
        fprintf(stderr, "frazil: warm: the key was checked in %.0f us\n", (double)(frazil_platform_now() - asked) / 1e3);
    if (!why) {
        why = find_damage(&snapshot);
        need = why ? FRAZIL_NEED_OTHER : FRAZIL_NEED_NONE;
    }
    if (!why && !make_fresh(argc, argv, debug, begun))
        why = NO_ADDRESSES;
    if (!why)
        why = restore(&snapshot, &with);
    if (debug)
        frazil_warm_tell("cold", why, detail);
    if (cached && snapshot.data)
        frazil_kernel(SYS_munmap, snapshot.data, snapshot.size);
    if (cached)
        frazil_cache_renew(&cache, need, debug, trial);
}

/* -- afterwards ------------------------------------------------------------------------------------------------------- */

/* glibc takes the size of threads' stacks from the limits when it begins. */
static void renew_thread_stack(size_t size)
{
    pthread_attr_t attributes;
    size_t now;

    if (size && pthread_getattr_default_np(&attributes) == 0 && pthread_attr_getstacksize(&attributes, &now) == 0 && now != size
        && pthread_attr_setstacksize(&attributes, size) == 0)
        pthread_setattr_default_np(&attributes);
}

void frazil_warm_restored(void)
{
    frazil_fresh *own = FRAZIL_FRESH;

    environ = own->environment;
    frazil_warm = FRAZIL_WARM_RESTORED;
    if (!setlocale(LC_CTYPE, ""))
        setlocale(LC_CTYPE, "C");
    if (!frazil_warm_locale_is_c() && strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        frazil_warm_give_up("the locale's encoding is not UTF-8");
    renew_thread_stack(own->thread_stack);
    if (!frazil_record_replay())
        frazil_warm_give_up("a locale that an import sets is not there");
    frazil_record_after();
    frazil_go_on(own->argc, own->argv, own->begun);
}

bool frazil_warm_locale_is_c(void)
{
    const char *name = setlocale(LC_CTYPE, NULL);

    return strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0;
}

bool frazil_warm_locale_is_lenient(void)
{
    static const char *const lenient[] = {"C.UTF-8", "C.utf8", "UTF-8"};
    const char *name = setlocale(LC_CTYPE, NULL);

    for (size_t i = 0; i < sizeof lenient / sizeof *lenient; i++)
        if (strcmp(name, lenient[i]) == 0)
            return true;
    return frazil_warm_locale_is_c();
}
