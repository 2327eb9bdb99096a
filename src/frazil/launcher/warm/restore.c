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

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/crc32.h"
#include "libc/real.h"
#include "memfs/kernel.h"
#include "platform/platform.h"
#include "warm/cache.h"
#include "warm/key.h"
#include "warm/record.h"
#include "warm/restartable.h"
#include "warm/warm.h"
#include "warm/window.h"

#define PAGE 4096ul
#define STACK_GUARD 0x28 /* from the thread pointer: glibc's ABI for x86-64 */
#define POINTER_GUARD 0x30
#define SET_THREAD 0x1002 /* ARCH_SET_FS */
#define AFTER_FAULT "fault"

frazil_warm_state frazil_warm;
int (*frazil_warm_resume)(const frazil_core *core);

static const int guarded_signals[2] = {SIGSEGV, SIGBUS};

static void tell(const char *decision, const char *reason, const char *detail)
{
    fprintf(stderr, "frazil: warm: %s%s%s%s%s\n", decision, *reason ? ": " : "", reason, *detail ? " " : "", detail);
}

/* -- falling back ----------------------------------------------------------------------------------------------------- */

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

/* Execute this program once more, cold, with `mark` in its environment. Calls nothing that a fault could have left half done.
 */
__attribute__((noreturn)) static void start_again(const char *why, char *mark)
{
    static const char said[] = "frazil: warm: starting again, cold: ";
    const frazil_fresh *own = FRAZIL_FRESH;
    char *environment[4096];
    size_t count = 0;

    if (own->debug) {
        frazil_kernel(SYS_write, 2, said, sizeof said - 1);
        frazil_kernel(SYS_write, 2, why, length_of(why));
        frazil_kernel(SYS_write, 2, "\n", 1);
    }
    while (own->environment[count] && count < sizeof environment / sizeof *environment - 2) {
        environment[count] = own->environment[count];
        count++;
    }
    environment[count++] = mark;
    environment[count] = NULL;
    frazil_kernel(SYS_execve, "/proc/self/exe", own->argv, environment);
    frazil_kernel(SYS_execve, own->file, own->argv, environment);
    frazil_kernel(SYS_exit_group, 1);
    __builtin_unreachable();
}

__attribute__((noreturn)) static void start_cold(const char *why)
{
    start_again(why, (char *)FRAZIL_WARM_COLD "=1");
}

static void on_fault(int number)
{
    uint64_t set = 1ul << (number - 1);

    frazil_kernel(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, 0, 8);
    start_again("a fault", (char *)FRAZIL_WARM_COLD "=" AFTER_FAULT);
}

/* As the kernel takes it; the handler never returns, and needs no way back. */
static void guard(void)
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        unsigned long restorer;
        unsigned long mask;
    } action = {on_fault, SA_NODEFER | 0x04000000 /* SA_RESTORER, which x86-64 demands */, (unsigned long)on_fault, 0};

    for (size_t i = 0; i < 2; i++)
        frazil_kernel(SYS_rt_sigaction, guarded_signals[i], &action, &FRAZIL_FRESH->before[i], 8);
    FRAZIL_FRESH->guarded = true;
}

void frazil_warm_settled(void)
{
    frazil_fresh *own = FRAZIL_FRESH;

    for (size_t i = 0; i < 2 && own->guarded; i++)
        frazil_kernel(SYS_rt_sigaction, guarded_signals[i], &own->before[i], 0, 8);
    own->guarded = false;
    if (own->debug)
        tell("warm", "", "");
}

void frazil_warm_give_up(const char *why)
{
    start_cold(why);
}

/* -- putting in place what is nowhere in use ---------------------------------------------------------------------------- */

static const snapshot_piece *pieces_of(const frazil_snapshot *snapshot)
{
    return frazil_snapshot_table(snapshot, snapshot->header->pieces);
}

static bool is_in_window(const frazil_snapshot *snapshot, const snapshot_piece *piece)
{
    const snapshot_header *header = snapshot->header;

    return piece->address >= header->low && piece->address <= header->high && piece->size <= header->high - piece->address;
}

/* The end of the stack of the process that the snapshot was made of. */
static bool is_in_stack(const snapshot_piece *piece)
{
    const uint64_t end = FRAZIL_WINDOW_STACK + FRAZIL_WINDOW_STACK_SIZE;

    return piece->kind == PIECE_PAGES && piece->address >= FRAZIL_WINDOW_STACK && piece->address <= end
        && piece->size <= end - piece->address;
}

/* The program's writable segments: the only place outside of the window that pieces may have. */
static bool is_in_program(const snapshot_piece *piece)
{
    const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);

    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
        uint64_t low = headers[i].p_vaddr & ~(PAGE - 1),
                 high = (headers[i].p_vaddr + headers[i].p_memsz + PAGE - 1) & ~(PAGE - 1);
        if (headers[i].p_type == PT_LOAD && headers[i].p_flags & PF_W && headers[i].p_vaddr != FRAZIL_SNAPSHOT_ADDRESS
            && piece->address >= low && piece->address <= high && piece->size <= high - piece->address)
            return true;
    }
    return false;
}

static bool is_sound(const frazil_snapshot *snapshot, const snapshot_piece *piece)
{
    bool held = piece->kind == PIECE_PAGES || piece->kind == PIECE_PROGRAM;

    if (((piece->address | piece->size | piece->offset) & (PAGE - 1)) != 0 || piece->size == 0)
        return false;
    if (held && (piece->offset > snapshot->header->tables || piece->size > snapshot->header->tables - piece->offset))
        return false;
    if ((piece->kind == PIECE_OBJECT || piece->kind == PIECE_FILE) && piece->object == 0)
        return false;
    if (piece->object > snapshot->header->objects.count)
        return false;
    if (piece->kind == PIECE_PROGRAM || (piece->kind == PIECE_ZERO && piece->address < FRAZIL_WINDOW_LOW))
        return is_in_program(piece);
    return is_in_window(snapshot, piece) || is_in_stack(piece);
}

static bool all_are_sound(const frazil_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->header->pieces.count; i++)
        if (!is_sound(snapshot, &pieces_of(snapshot)[i]))
            return false;
    return snapshot->header->low >= FRAZIL_WINDOW_LOW && snapshot->header->low < snapshot->header->high
        && snapshot->header->high <= FRAZIL_WINDOW_HIGH && snapshot->header->own.count <= SNAPSHOT_OWN_AT_MOST;
}

/* Pages are read where the kernel mapped them with the program; the entries of the page table move with them. */
static bool pages_hold(const frazil_snapshot *snapshot)
{
    const snapshot_piece *pieces = pieces_of(snapshot);

    for (uint32_t i = 0; i < snapshot->header->pieces.count; i++) {
        const snapshot_piece *piece = &pieces[i];
        if ((piece->kind == PIECE_PAGES || piece->kind == PIECE_PROGRAM)
            && frazil_crc32(0, snapshot->data + piece->offset, piece->size) != piece->crc)
            return false;
    }
    return true;
}

static inline bool map(uint64_t address, uint64_t size, uint32_t protection, long flags, long file, uint64_t offset)
{
    return frazil_kernel(SYS_mmap, address, size, protection, MAP_PRIVATE | MAP_FIXED | flags, file, offset) == (long)address;
}

/* Move pages of the snapshot, or of an object, to where they belong. */
static inline bool move(uint64_t from, uint64_t size, uint64_t to)
{
    return frazil_kernel(SYS_mremap, from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == (long)to;
}

/* Constants of the program and of libraries that every process has: words of them are this process's own. */
static inline bool is_sealed(const snapshot_piece *piece)
{
    return !(piece->protection & PROT_WRITE) && (piece->kind == PIECE_PROGRAM || (piece->kind == PIECE_PAGES && piece->object));
}

static inline bool protect(const snapshot_piece *piece, uint32_t protection)
{
    return frazil_kernel(SYS_mprotect, piece->address, piece->size, protection) == 0;
}

/* Whether the piece goes on where the other ends, in memory and in the snapshot. */
static inline bool continues(const snapshot_piece *piece, const snapshot_piece *before)
{
    return piece->kind == before->kind && piece->address == before->address + before->size
        && piece->offset == before->offset + before->size;
}

/* Move pages of the snapshot to where they belong, with those of the pieces that go on there: they can be written to. How many
 * pieces that were; 0 when it cannot be. */
static inline uint32_t move_pages(const uint8_t *data, const snapshot_piece *pieces, uint32_t count)
{
    uint64_t size = pieces[0].size;
    uint32_t moved = 1;

    for (; moved < count && continues(&pieces[moved], &pieces[moved - 1]); moved++)
        size += pieces[moved].size;
    if (!move((uintptr_t)data + pieces[0].offset, size, pieces[0].address))
        return 0;
    for (uint32_t i = 0; i < moved; i++)
        if (pieces[i].protection != (PROT_READ | PROT_WRITE) && !is_sealed(&pieces[i])
            && !protect(&pieces[i], pieces[i].protection))
            return 0;
    return moved;
}

/* Without /proc the executable cannot be opened: its bytes are in the image, which is mapped. */
static bool copy_executable(const snapshot_piece *piece)
{
    const void *image;
    size_t size;
    uint64_t offset;

    if (!frazil_platform_image(&image, &size, &offset) || piece->offset < offset || piece->offset - offset > size
        || piece->size > size - (piece->offset - offset)
        || !map(piece->address, piece->size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1, 0))
        return false;
    memcpy((void *)piece->address, (const uint8_t *)image + (piece->offset - offset), piece->size);
    return frazil_kernel(SYS_mprotect, piece->address, piece->size, piece->protection) == 0;
}

static bool put_file(const frazil_snapshot *snapshot, const snapshot_piece *piece)
{
    const snapshot_object *objects = frazil_snapshot_table(snapshot, snapshot->header->objects);
    const char *path = frazil_snapshot_text(snapshot, objects[piece->object - 1].name);
    long file = frazil_kernel(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    bool mapped = file >= 0 && map(piece->address, piece->size, piece->protection, 0, file, piece->offset);

    if (file >= 0)
        frazil_kernel(SYS_close, file);
    return mapped;
}

/* How many pieces were put in their place, from the first of `count`; 0 when that cannot be. */
static uint32_t put(const frazil_snapshot *snapshot, const snapshot_piece *piece, uint32_t count, int executable)
{
    switch (piece->kind) {
    case PIECE_PAGES:
        return !is_in_stack(piece) || frazil_window_reserve(piece->address, piece->size)
            ? move_pages(snapshot->data, piece, count)
            : 0;
    case PIECE_ZERO:
        return piece->address < FRAZIL_WINDOW_LOW
            || map(piece->address, piece->size, piece->protection, MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    case PIECE_EXECUTABLE:
        return executable >= 0 ? map(piece->address, piece->size, piece->protection, 0, executable, piece->offset)
                               : copy_executable(piece);
    case PIECE_FILE:
        return put_file(snapshot, piece);
    default:
        return 1; /* later */
    }
}

static bool has_kind(const frazil_snapshot *snapshot, uint32_t kind)
{
    for (uint32_t i = 0; i < snapshot->header->pieces.count; i++)
        if (pieces_of(snapshot)[i].kind == kind)
            return true;
    return false;
}

static bool put_all(const frazil_snapshot *snapshot)
{
    bool opens = has_kind(snapshot, PIECE_EXECUTABLE);
    uint32_t count = snapshot->header->pieces.count, done = 1;
    int executable = opens ? (int)frazil_kernel(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0) : -1;

    for (uint32_t i = 0; done && i < count; i += done)
        done = put(snapshot, &pieces_of(snapshot)[i], count - i, executable);
    if (executable >= 0)
        frazil_kernel(SYS_close, executable);
    return done != 0;
}

/* -- the exchange ----------------------------------------------------------------------------------------------------- */

/* What the exchange needs, on the stack: it may use nothing else, and call nothing but the kernel. */
typedef struct exchange {
    const uint8_t *data;
    const snapshot_header *header;
    const snapshot_piece *pieces;
    const snapshot_object *objects;
    const snapshot_own *own;
    const snapshot_mangled *mangled;
    frazil_bases bases;
    uint64_t values[SNAPSHOT_OWN_AT_MOST];
    uint64_t stack_guard;
    uint64_t pointer_guard;
    uint64_t vdso;
    uint64_t vdso_size;
    uint32_t linker; /* number of the dynamic linker among the objects */
    uint32_t linker_words;
    struct {
        uint64_t address; /* in the snapshot's process */
        uint64_t value;
    } vdso_words[32];
} exchange;

static uint64_t size_of_vdso(const Elf64_Ehdr *header)
{
    const Elf64_Phdr *one = (const Elf64_Phdr *)((uintptr_t)header + header->e_phoff);

    for (int i = 0; i < header->e_phnum; i++)
        if (one[i].p_type == PT_LOAD)
            return one[i].p_memsz;
    return 0;
}

/* Where the dynamic linker keeps addresses of the vDSO: the snapshot's process was not shown any. They are among its constants;
 * what it has allocated behind its data is another thing in each process. */
static void keep_vdso(exchange *with, uint64_t moved_by, const snapshot_piece *piece)
{
    const uint64_t *at = (const uint64_t *)(piece->address - moved_by);

    for (uint64_t i = 0; i < piece->size / 8; i++)
        if (at[i] - with->vdso < with->vdso_size && with->linker_words < 32) {
            with->vdso_words[with->linker_words].address = piece->address + i * 8;
            with->vdso_words[with->linker_words++].value = at[i];
        }
}

static uint64_t end_of_stack(uint32_t what)
{
    char **at = FRAZIL_FRESH->environment;

    if (what == SNAPSHOT_ARGUMENTS)
        return (uintptr_t)FRAZIL_FRESH->argv;
    while (what == SNAPSHOT_AUXILIARY && *at++)
        ;
    return (uintptr_t)at;
}

/* Read what this process keeps. */
static void keep(exchange *with)
{
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();

    with->stack_guard = *(const uint64_t *)(thread + STACK_GUARD);
    with->pointer_guard = *(const uint64_t *)(thread + POINTER_GUARD);
    for (uint32_t i = 0; i < with->header->own.count; i++) {
        const snapshot_own *one = &with->own[i];
        uint64_t by = 0;
        if (one->object == SNAPSHOT_ARGUMENTS || one->object == SNAPSHOT_ENVIRONMENT || one->object == SNAPSHOT_AUXILIARY) {
            with->values[i] = end_of_stack(one->object);
            continue;
        }
        if (one->object == SNAPSHOT_THREAD)
            by = with->header->thread - thread;
        else if (one->object < with->header->objects.count)
            by = with->objects[one->object].base - with->bases.object[one->object];
        with->values[i] = *(const uint64_t *)(one->address - by);
    }
    with->vdso = getauxval(AT_SYSINFO_EHDR);
    with->vdso_size = with->vdso ? size_of_vdso((const Elf64_Ehdr *)with->vdso) : 0;
    while (with->linker < with->header->objects.count && with->bases.object[with->linker] != getauxval(AT_BASE))
        with->linker++;
    for (uint32_t i = 0; with->vdso && i < with->header->pieces.count; i++)
        if (is_sealed(&with->pieces[i]) && with->linker < with->header->objects.count
            && with->pieces[i].object == with->linker + 1)
            keep_vdso(with, with->objects[with->linker].base - with->bases.object[with->linker], &with->pieces[i]);
}

__attribute__((noreturn)) static void run_exchange(const exchange *with)
{
    const snapshot_header *header = with->header;
    uint64_t thread = header->thread;
    bool done = true;

    for (uint32_t i = 0; i < header->pieces.count; i++) {
        const snapshot_piece *piece = &with->pieces[i];
        if (piece->kind == PIECE_OBJECT) {
            uint64_t by = with->objects[piece->object - 1].base - with->bases.object[piece->object - 1];
            done &= move(piece->address - by, piece->size, piece->address);
        } else if (piece->kind == PIECE_PROGRAM) {
            done &= move_pages(with->data, piece, 1) != 0;
        } else if (piece->kind == PIECE_ZERO && piece->address < FRAZIL_WINDOW_LOW) {
            done &= map(piece->address, piece->size, piece->protection, MAP_ANONYMOUS, -1, 0);
        }
    }
    for (uint32_t i = 0; done && i < header->own.count; i++)
        *(uint64_t *)with->own[i].address = with->values[i];
    for (uint32_t i = 0; done && i < header->mangled.count; i++) {
        uint64_t value = with->mangled[i].value ^ with->pointer_guard;
        *(uint64_t *)with->mangled[i].address = value << 17 | value >> 47;
    }
    for (uint32_t i = 0; done && i < with->linker_words; i++)
        *(uint64_t *)with->vdso_words[i].address = with->vdso_words[i].value;
    for (uint32_t i = 0; done && i < header->pieces.count; i++)
        if (is_sealed(&with->pieces[i]))
            done &= protect(&with->pieces[i], with->pieces[i].protection);
    if (!done)
        start_cold("memory cannot be replaced");
    *(uint64_t *)(thread + STACK_GUARD) = with->stack_guard;
    *(uint64_t *)(thread + POINTER_GUARD) = with->pointer_guard;
    frazil_kernel(SYS_arch_prctl, SET_THREAD, thread);
    *(uint32_t *)(thread + header->identity) = (uint32_t)frazil_kernel(SYS_set_tid_address, thread + header->identity);
    frazil_kernel(SYS_set_robust_list, header->robust, 24);
    if (header->restartable_size)
        frazil_kernel(
            SYS_rseq, thread + (uint64_t)header->restartable, header->restartable_size, 0, FRAZIL_RESTARTABLE_SIGNATURE);
    ((void (*)(void))header->resume)();
    __builtin_unreachable();
}

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

    if (frazil_kernel(SYS_mmap, FRAZIL_FRESH, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) != (long)FRAZIL_FRESH)
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
    if (!all_are_sound(snapshot))
        return "the snapshot is damaged: a piece lies outside";
    return pages_hold(snapshot) ? NULL : "the snapshot is damaged: its pages do not hold";
}

/* Returns when the process stays as it is, with the reason. */
static const char *restore(const frazil_snapshot *snapshot, exchange *with)
{
    if (!frazil_window_reserve(snapshot->header->low, snapshot->header->high - snapshot->header->low))
        return "an address of the snapshot is taken";
    if (!put_all(snapshot)) {
        frazil_kernel(SYS_munmap, snapshot->header->low, snapshot->header->high - snapshot->header->low);
        return "memory cannot be mapped";
    }
    with->data = snapshot->data;
    with->header = snapshot->header;
    with->pieces = pieces_of(snapshot);
    with->objects = frazil_snapshot_table(snapshot, snapshot->header->objects);
    with->own = frazil_snapshot_table(snapshot, snapshot->header->own);
    with->mangled = frazil_snapshot_table(snapshot, snapshot->header->mangled);
    keep(with);
    guard();
    frazil_restartable_leave();
    run_exchange(with);
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

    if (mark && strcmp(mark, AFTER_FAULT) == 0 && !frazil_platform_has_more_rights())
        frazil_cache_discard(cache);
}

void frazil_warm_start(int argc, char **argv, bool debug, uint64_t begun, frazil_setting *setting)
{
    bool trial = argc > 0 && strcmp(argv[0], FRAZIL_WARM_TRIAL) == 0;
    frazil_need need = FRAZIL_NEED_NONE;
    frazil_snapshot snapshot = {.data = NULL};
    frazil_cache cache;
    exchange with = {.linker = 0};
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
        why = "an address of the snapshot is taken";
    if (!why)
        why = restore(&snapshot, &with);
    if (debug)
        tell("cold", why, detail);
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
        start_cold("the locale's encoding is not UTF-8");
    renew_thread_stack(own->thread_stack);
    if (!frazil_record_replay())
        start_cold("a locale that an import sets is not there");
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
