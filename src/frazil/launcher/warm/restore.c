/* Maps a snapshot back: from here on the process is the one that the snapshot was made of, as a child is after fork.
 *
 * Theory of operation. Until the pages of the program itself are replaced, nothing has happened that cannot be undone: whatever
 * does not fit or hold leads to a cold start in this process. Replacing them is a few system calls. What comes after that can
 * fail only if the snapshot is wrong although its checksums hold; then, or at a fault, the program executes itself once more,
 * with a mark in the environment that makes it start cold. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/crc32.h"
#include "libc/real.h"
#include "memfs/kernel.h"
#include "platform/platform.h"
#include "warm/key.h"
#include "warm/loaded.h"
#include "warm/record.h"
#include "warm/region.h"
#include "warm/restore.h"
#include "warm/warm.h"

#define PAGE 4096ul
#define KEPT_AT_MOST 32768
#define DIGITS (1ul << 62) /* a relocation of the two digits of a Python integer */
#define THREAD_LOCAL (1ul << 63) /* a relocation of the program's thread-local block: the address is an offset into it */

frazil_warm_state frazil_warm;
int (*frazil_warm_resume)(const frazil_core *core);

/* What stays this process's own; the builder knows it by its name. */
typedef struct fresh {
    char **argv;
    char **environment;
    bool debug;
    bool guarded;
    frazil_locale locale;
    struct sigaction before[2];
} fresh;
__attribute__((visibility("default"))) fresh frazil_warm_fresh;

static const int guarded_signals[2] = {SIGSEGV, SIGBUS};

static void tell(const char *decision, const char *reason, const char *detail)
{
    if (frazil_warm_fresh.debug)
        fprintf(stderr, "frazil: warm: %s%s%s%s%s\n", decision, *reason ? ": " : "", reason, *detail ? " " : "", detail);
}

/* -- falling back ----------------------------------------------------------------------------------------------------- */

/* Execute this program once more, cold. Calls nothing that a fault could have left half done. */
static void start_cold(const char *why)
{
    static const char said[] = "frazil: warm: starting again, cold: ";
    char *environment[4096];
    size_t count = 0;

    if (frazil_warm_fresh.debug) {
        frazil_kernel(SYS_write, 2, said, sizeof said - 1);
        frazil_kernel(SYS_write, 2, why, strlen(why));
        frazil_kernel(SYS_write, 2, "\n", 1);
    }
    while (frazil_warm_fresh.environment[count] && count < sizeof environment / sizeof *environment - 2) {
        environment[count] = frazil_warm_fresh.environment[count];
        count++;
    }
    environment[count++] = (char *)FRAZIL_WARM_COLD "=1";
    environment[count] = NULL;
    frazil_kernel(SYS_execve, "/proc/self/exe", frazil_warm_fresh.argv, environment);
    frazil_kernel(SYS_exit_group, 1);
}

static void on_fault(int number)
{
    uint64_t set = 1ul << (number - 1);

    frazil_kernel(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, 0, 8);
    start_cold("a fault");
}

static void guard(void)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

    for (size_t i = 0; i < 2; i++)
        sigaction(guarded_signals[i], &action, &frazil_warm_fresh.before[i]);
    frazil_warm_fresh.guarded = true;
}

void frazil_warm_settled(void)
{
    for (size_t i = 0; i < 2 && frazil_warm_fresh.guarded; i++)
        sigaction(guarded_signals[i], &frazil_warm_fresh.before[i], NULL);
    frazil_warm_fresh.guarded = false;
    tell("warm", "", "");
}

frazil_locale frazil_warm_locale(void)
{
    return frazil_warm_fresh.locale;
}

void frazil_warm_give_up(const char *why)
{
    start_cold(why);
}

/* -- mapping ---------------------------------------------------------------------------------------------------------- */

static bool map_piece(const frazil_snapshot *snapshot, const snapshot_piece *piece, int executable)
{
    uint64_t offset = piece->kind == PIECE_FILE ? piece->offset : snapshot->offset + piece->offset;
    long flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE | (piece->kind == PIECE_ZERO ? MAP_ANONYMOUS | MAP_NORESERVE : 0);
    long file = piece->kind == PIECE_ZERO ? -1 : executable;
    long at = frazil_kernel(
        SYS_mmap, piece->address, piece->size, piece->protection, flags, file, piece->kind == PIECE_ZERO ? 0 : offset);

    return at == (long)piece->address;
}

static bool piece_is_sound(const frazil_snapshot *snapshot, const snapshot_piece *piece)
{
    if (((piece->address | piece->size) & (PAGE - 1)) != 0 || piece->size == 0)
        return false;
    if (piece->kind == PIECE_ZERO)
        return true;
    if ((piece->offset & (PAGE - 1)) != 0)
        return false;
    return piece->kind == PIECE_FILE || (piece->offset <= snapshot->size && piece->size <= snapshot->size - piece->offset);
}

/* Map what has an address of its own, and check it there: so its pages are read once. */
static bool map_all(const frazil_snapshot *snapshot, int executable, uint32_t *mapped, const char **why)
{
    const snapshot_piece *pieces = frazil_snapshot_table(snapshot, snapshot->header->pieces);

    for (*mapped = 0; *mapped < snapshot->header->pieces.count; ++*mapped) {
        const snapshot_piece *piece = &pieces[*mapped];
        const void *data = snapshot->data + piece->offset;
        *why = "the snapshot is damaged: a piece lies outside";
        if (!piece_is_sound(snapshot, piece))
            return false;
        if (piece->kind != PIECE_PROGRAM) {
            *why = "an address of the snapshot is taken";
            if (!map_piece(snapshot, piece, executable))
                return false;
            data = (const void *)piece->address;
        }
        if (piece->kind != PIECE_PAGES && piece->kind != PIECE_PROGRAM)
            continue;
        frazil_kernel(SYS_madvise, data, piece->size, 22 /* MADV_POPULATE_READ */);
        *why = "the snapshot is damaged: its pages do not hold";
        if (frazil_crc32(0, data, piece->size) != piece->crc) {
            ++*mapped;
            return false;
        }
    }
    return true;
}

static void unmap(const frazil_snapshot *snapshot, uint32_t mapped)
{
    const snapshot_piece *pieces = frazil_snapshot_table(snapshot, snapshot->header->pieces);

    for (uint32_t i = 0; i < mapped; i++)
        if (pieces[i].kind != PIECE_PROGRAM)
            frazil_kernel(SYS_munmap, pieces[i].address, pieces[i].size);
}

/* Pages that every run writes, copied in one system call instead of a fault for each. */
static void populate(const frazil_snapshot *snapshot)
{
    const snapshot_piece *pieces = frazil_snapshot_table(snapshot, snapshot->header->pieces);

    for (uint32_t i = 0; i < snapshot->header->pieces.count; i++)
        if (pieces[i].populate && pieces[i].populate <= pieces[i].size / PAGE)
            frazil_kernel(SYS_madvise, pieces[i].address, pieces[i].populate * PAGE, 23 /* MADV_POPULATE_WRITE */);
}

/* Replace the program's own data, but for the ranges that belong to this process: what the dynamic linker and libc keep there,
 * and `frazil_warm_fresh`. */
static bool replace_program(const frazil_snapshot *snapshot, int executable)
{
    const snapshot_piece *pieces = frazil_snapshot_table(snapshot, snapshot->header->pieces);
    const snapshot_range *kept = frazil_snapshot_table(snapshot, snapshot->header->kept);
    uint32_t kept_count = snapshot->header->kept.count;
    uint8_t saved[KEPT_AT_MOST], *at = saved;
    bool replaced = true;

    for (uint32_t i = 0; i < kept_count; i++) {
        if (kept[i].size > (size_t)(saved + sizeof saved - at))
            return false;
        memcpy(at, (const void *)kept[i].address, kept[i].size);
        at += kept[i].size;
    }
    for (uint32_t i = 0; i < snapshot->header->pieces.count; i++) {
        const snapshot_piece *piece = &pieces[i];
        if (piece->kind != PIECE_PROGRAM)
            continue;
        replaced &= frazil_kernel(SYS_mmap, piece->address, piece->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
                        executable, snapshot->offset + piece->offset)
            == (long)piece->address;
    }
    at = saved;
    for (uint32_t i = 0; i < kept_count; i++) {
        memcpy((void *)kept[i].address, at, kept[i].size);
        at += kept[i].size;
    }
    return replaced;
}

static void relocate(const frazil_snapshot *snapshot, const frazil_bases *bases)
{
    const snapshot_relocation *relocations = frazil_snapshot_table(snapshot, snapshot->header->relocations);

    for (uint32_t i = 0; i < snapshot->header->relocations.count; i++) {
        uint64_t object = relocations[i].address >> 48 & 0x3FFF, address = relocations[i].address & 0xFFFFFFFFFFFFul;
        uint64_t *word = (uint64_t *)address;
        if (relocations[i].address & THREAD_LOCAL)
            word = (uint64_t *)((uint8_t *)bases->thread_block + address);
        if (object >= FRAZIL_OBJECTS_AT_MOST)
            continue;
        uint64_t value = bases->object[object] + relocations[i].offset;
        *word = relocations[i].address & DIGITS ? (value & 0x3FFFFFFF) | value >> 30 << 32 : value;
    }
}

/* -- the start -------------------------------------------------------------------------------------------------------- */

/* Why this process starts cold whatever the snapshot is; NULL when it may start warm. */
static const char *reason_for_cold(char **argv)
{
    static const char mount[] = "/memfs:/";

    if (FRAZIL_REAL_OF(getenv)(FRAZIL_WARM_COLD)) {
        FRAZIL_REAL_OF(unsetenv)(FRAZIL_WARM_COLD);
        return "the warm start failed";
    }
    if (!argv[0] || (strncmp(argv[0], mount, sizeof mount - 1) == 0 && strcmp(argv[0], FRAZIL_WARM_TRIAL) != 0))
        return "this is the interpreter";
    if (frazil_platform_has_more_rights())
        return "the program has more rights than its user";
    return NULL;
}

static bool restore(const frazil_snapshot *snapshot, frazil_bases *bases, const char **why)
{
    int executable = (int)frazil_kernel(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
    uint32_t mapped = 0;

    *why = "/proc/self/exe cannot be opened";
    if (executable < 0)
        return false;
    if (!map_all(snapshot, executable, &mapped, why)) {
        unmap(snapshot, mapped);
        frazil_kernel(SYS_close, executable);
        return false;
    }
    guard();
    if (!replace_program(snapshot, executable))
        start_cold("the program's data cannot be replaced");
    frazil_kernel(SYS_close, executable);
    populate(snapshot);
    memcpy(bases->thread_block, snapshot->data + snapshot->header->thread_block, snapshot->header->thread_block_size);
    relocate(snapshot, bases);
    frazil_warm = FRAZIL_WARM_RESTORED;
    frazil_loaded_restore(snapshot);
    if (!frazil_record_replay())
        start_cold("a thread key is taken");
    frazil_record_after();
    return true;
}

bool frazil_warm_start(int argc, char **argv, bool debug)
{
    frazil_snapshot snapshot;
    frazil_bases bases = {0};
    const char *detail = "", *why = frazil_snapshot_open(&snapshot);

    (void)argc;
    frazil_warm_fresh.debug = debug;
    frazil_warm_fresh.argv = argv;
    frazil_warm_fresh.environment = environ;
    if (!why)
        why = reason_for_cold(argv);
    if (!why)
        why = frazil_key_check(&snapshot, &bases, &detail);
    if (!why)
        why = frazil_key_locale(&frazil_warm_fresh.locale);
    if (!why && restore(&snapshot, &bases, &why))
        return true;
    if (*why)
        tell("cold", why, detail);
    setlocale(LC_CTYPE, "C"); /* as it was when the process began */
    return false;
}
