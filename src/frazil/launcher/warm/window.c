/* Beginning again in the window (warm/window.h). */
#define _GNU_SOURCE
#include "warm/window.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <unistd.h>

#include "memfs/kernel.h"
#include "warm/restartable.h"
#include "warm/warm.h"

#define PAGE FRAZIL_PAGE
#define TEXT_AT_MOST (1ul << 20)
#define MAPPINGS_AT_MOST 8192
#define STACK_ROOM (64ul << 20) /* below the stack, for it to grow into */
#define BLOCK_AT_MOST 32768 /* words */
#define USUAL_STACK (8ul << 20)

extern void *__libc_stack_end; /* the stack's pointer when the program began */

/* By its stack: where the kernel places everything else depends on limits, and can be in the window. */
bool frazil_window_entered(void)
{
    uintptr_t stack = (uintptr_t)__libc_stack_end;

    return stack >= FRAZIL_WINDOW_STACK && stack < FRAZIL_WINDOW_STACK + FRAZIL_WINDOW_STACK_SIZE;
}

/* -- mappings --------------------------------------------------------------------------------------------------------- */

void *frazil_window_scratch(size_t size)
{
    static uintptr_t at = FRAZIL_SCRATCH;
    long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    long made = -EEXIST;

    for (; made == -EEXIST && at < FRAZIL_WINDOW_LOW - size;
        at += frazil_page_up(size)) /* what was taken before the beginning is still there */
        made = frazil_kernel(SYS_mmap, at, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    return made > 0 ? (void *)made : NULL;
}

static uint64_t take_number(char **at, int base)
{
    uint64_t value = 0;

    for (;; ++*at) {
        char one = **at;
        int digit = one >= '0' && one <= '9' ? one - '0' : one >= 'a' && one <= 'f' ? one - 'a' + 10 : 16;
        if (digit >= base)
            return value;
        value = value * (uint64_t)base + (uint64_t)digit;
    }
}

/* "low-high rwxp offset major:minor inode   path" */
static char *take_mapping(char *at, frazil_mapping *one)
{
    char *end = strchr(at, '\n');

    if (end)
        *end = '\0';
    one->low = take_number(&at, 16);
    at++;
    one->high = take_number(&at, 16);
    one->protection = (at[1] == 'r' ? PROT_READ : 0) | (at[2] == 'w' ? PROT_WRITE : 0) | (at[3] == 'x' ? PROT_EXEC : 0);
    one->shared = at[4] == 's';
    at += 6;
    one->offset = take_number(&at, 16);
    for (int fields = 0; *at && fields < 3; at++)
        fields += *at == ' ';
    while (*at == ' ')
        at++;
    one->path = at;
    return end ? end + 1 : at + strlen(at);
}

frazil_mapping *frazil_window_mappings(void)
{
    char *text = frazil_window_scratch(TEXT_AT_MOST);
    frazil_mapping *all = frazil_window_scratch(MAPPINGS_AT_MOST * sizeof *all);
    long file = frazil_kernel(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0), length = 0, read = 1;
    size_t count = 0;

    if (!text || !all || file < 0)
        return NULL;
    while (read > 0 && (size_t)length < TEXT_AT_MOST - 1) {
        read = frazil_kernel(SYS_read, file, text + length, TEXT_AT_MOST - 1 - (size_t)length);
        length += read > 0 ? read : 0;
    }
    frazil_kernel(SYS_close, file);
    if (read != 0)
        return NULL;
    while (*text && count < MAPPINGS_AT_MOST - 1)
        text = take_mapping(text, &all[count++]);
    return *text ? NULL : all;
}

/* -- taking the other addresses --------------------------------------------------------------------------------------- */

bool frazil_window_reserve(uintptr_t address, size_t size)
{
    long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    long made = frazil_kernel(SYS_mmap, address, size, PROT_NONE, flags, -1, 0);

    if (made == (long)address)
        return true;
    if (made > 0) /* Linux before 4.17 takes the address for a wish */
        frazil_kernel(SYS_munmap, made, size);
    return false;
}

static bool take(uintptr_t low, uintptr_t high)
{
    return low >= high || frazil_window_reserve(low, high - low);
}

/* Addresses above the stack's room are none that the kernel would give. */
static bool take_all_above(const frazil_mapping *mappings)
{
    uintptr_t at = FRAZIL_WINDOW_HIGH;

    for (const frazil_mapping *one = mappings; one->high; one++) {
        if (one->high <= at)
            continue;
        if (strcmp(one->path, "[stack]") == 0)
            return take(at, one->low - STACK_ROOM);
        if (one->low > at && !take(at, one->low))
            return false;
        at = one->high;
    }
    return false;
}

/* What malloc and the dynamic linker would take from the break, they then map. */
static bool stop_the_break(void)
{
    uintptr_t end = frazil_page_up((uintptr_t)frazil_kernel(SYS_brk, 0));

    return take(end, end + PAGE);
}

/* -- the dynamic linker ----------------------------------------------------------------------------------------------- */

static const char *interpreter(const Elf64_Phdr *headers, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++)
        if (headers[i].p_type == PT_INTERP)
            return (const char *)headers[i].p_vaddr;
    return NULL;
}

/* One segment of an ELF file, as the kernel maps it. */
static bool map_segment(int file, const Elf64_Phdr *one, uintptr_t base)
{
    uintptr_t start = base + one->p_vaddr, end = start + one->p_filesz, last = start + one->p_memsz;
    long protection = (one->p_flags & PF_R ? PROT_READ : 0) | (one->p_flags & PF_W ? PROT_WRITE : 0)
        | (one->p_flags & PF_X ? PROT_EXEC : 0);
    long flags = MAP_PRIVATE | MAP_FIXED;

    if (frazil_kernel(SYS_mmap, frazil_page_down(start), frazil_page_up(end) - frazil_page_down(start), protection, flags, file,
            frazil_page_down(one->p_offset))
        != (long)frazil_page_down(start))
        return false;
    if (last > end && frazil_page_up(last) > frazil_page_up(end)
        && frazil_kernel(SYS_mmap, frazil_page_up(end), frazil_page_up(last) - frazil_page_up(end), protection,
               flags | MAP_ANONYMOUS, -1, 0)
            != (long)frazil_page_up(end))
        return false;
    if (last > end) {
        void *at = (void *)end; /* not memset: that is a call through a table that is being replaced */
        size_t count = frazil_page_up(end) - end;
        __asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(0) : "memory");
    }
    return true;
}

static bool read_at(int file, void *buffer, size_t size, uint64_t offset)
{
    return frazil_kernel(SYS_pread64, file, buffer, size, offset) == (long)size;
}

/* Map the dynamic linker; its entry point, or 0. */
static uintptr_t map_linker(const char *path, uintptr_t *base)
{
    int file = (int)frazil_kernel(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    Elf64_Ehdr header;
    Elf64_Phdr segments[16];
    uintptr_t span = 0, entry = 0;
    long made;

    if (file < 0 || !read_at(file, &header, sizeof header, 0) || header.e_phnum > 16
        || !read_at(file, segments, header.e_phnum * sizeof *segments, header.e_phoff))
        goto done;
    for (int i = 0; i < header.e_phnum; i++)
        if (segments[i].p_type == PT_LOAD)
            span = frazil_page_up(segments[i].p_vaddr + segments[i].p_memsz);
    made = frazil_kernel(SYS_mmap, 0, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made < (long)FRAZIL_WINDOW_LOW || made >= (long)FRAZIL_WINDOW_HIGH)
        goto done;
    *base = (uintptr_t)made;
    entry = *base + header.e_entry;
    for (int i = 0; i < header.e_phnum; i++)
        if (segments[i].p_type == PT_LOAD && !map_segment(file, &segments[i], *base))
            entry = 0;
done:
    if (file >= 0)
        frazil_kernel(SYS_close, file);
    return entry;
}

/* -- beginning again -------------------------------------------------------------------------------------------------- */

/* The new program's stack, which is at the same place each time: what functions leave on it is then the same. */
typedef struct stack {
    char *low;
    char *at;
    bool full;
} stack;

static char *push(stack *to, const void *data, size_t size)
{
    if (size > (size_t)(to->at - to->low) / 2) {
        to->full = true;
        return to->at;
    }
    to->at -= size;
    return memcpy(to->at, data, size);
}

static uintptr_t push_text(stack *to, const char *text)
{
    return (uintptr_t)push(to, text, strlen(text) + 1);
}

/* The builder's directory takes the same room whatever its name is. */
static uintptr_t push_directory(stack *to, const char *path)
{
    char room[PATH_MAX] = "";

    snprintf(room, sizeof room, "%s", path);
    return (uintptr_t)push(to, room, sizeof room);
}

/* What an entry of the auxiliary vector is for the new program. */
static uintptr_t auxiliary(stack *to, const Elf64_auxv_t *pair, uintptr_t base)
{
    static const uint8_t random[16] = "\0frazil's window";

    switch (pair->a_type) {
    case AT_BASE:
        return base;
    case AT_RANDOM: /* of which libc makes its guards; a restored process has its own */
        return (uintptr_t)push(to, random, sizeof random);
    case AT_EXECFN: /* where the builder had put it means nothing */
        return push_text(to, FRAZIL_WARM_MAKER);
    case AT_PLATFORM:
    case AT_BASE_PLATFORM:
        return push_text(to, (const char *)pair->a_un.a_val);
    default:
        return pair->a_un.a_val;
    }
}

/* What the kernel puts on a new program's stack: the count of arguments, arguments, environment, auxiliary vector. NULL when
 * there is not room for it. */
static uintptr_t *make_block(int argc, char **argv, uintptr_t base)
{
    long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    char *low = (char *)FRAZIL_WINDOW_STACK;
    stack on = {low, low + FRAZIL_WINDOW_STACK_SIZE, false};
    uintptr_t *words = frazil_window_scratch(BLOCK_AT_MOST * sizeof *words);
    char **variable = environ;
    size_t at = 0;

    if (!words || frazil_kernel(SYS_mmap, low, FRAZIL_WINDOW_STACK_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0) != (long)low)
        return NULL;
    if (argc > BLOCK_AT_MOST / 2)
        return NULL;
    words[at++] = (uintptr_t)argc;
    for (int i = 0; i < argc; i++)
        words[at++] = i == 1 ? push_directory(&on, argv[i]) : push_text(&on, argv[i]);
    words[at++] = 0;
    for (; *variable && at < BLOCK_AT_MOST - 128; variable++)
        words[at++] = push_text(&on, *variable);
    if (*variable || on.full)
        return NULL;
    words[at++] = 0;
    for (const Elf64_auxv_t *pair = (const Elf64_auxv_t *)(variable + 1); pair->a_type != AT_NULL && at < BLOCK_AT_MOST - 4;
        pair++) {
        bool hidden = pair->a_type == AT_SYSINFO_EHDR;
        words[at++] = hidden ? AT_IGNORE : pair->a_type;
        words[at++] = hidden ? 0 : auxiliary(&on, pair, base);
    }
    words[at++] = AT_NULL;
    words[at++] = 0;
    on.at -= ((uintptr_t)on.at - at * sizeof *words) & 15;
    return (uintptr_t *)push(&on, words, at * sizeof *words);
}

/* Replace the program's data by what its file holds, and start the dynamic linker. Uses nothing but its stack. */
__attribute__((noreturn)) static void start(
    const Elf64_Phdr *headers, unsigned long count, int executable, uintptr_t *block, uintptr_t entry)
{
    for (unsigned long i = 0; i < count; i++)
        if (headers[i].p_type == PT_LOAD && headers[i].p_flags & PF_W && !map_segment(executable, &headers[i], 0))
            frazil_kernel(SYS_exit_group, 1);
    frazil_kernel(SYS_close, executable);
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "xor %%edx, %%edx\n\t"
                     "jmp *%1"
        :
        : "r"(block), "r"(entry)
        : "memory");
    __builtin_unreachable();
}

/* In the layout that programs of old expect, or whose stack may grow without end, the kernel places mappings upwards from an
 * address above the window. Execute the program again without that; returns when it is not so, or cannot be changed. */
static void leave_old_layout(char **argv)
{
    long personality = frazil_kernel(SYS_personality, 0xFFFFFFFFul);
    struct rlimit stack = {0, 0};
    bool endless = frazil_kernel(SYS_prlimit64, 0, RLIMIT_STACK, NULL, &stack) == 0 && stack.rlim_cur == RLIM_INFINITY;

    if (personality < 0 || (!(personality & ADDR_COMPAT_LAYOUT) && !endless))
        return;
    stack.rlim_cur = USUAL_STACK;
    if ((!endless || frazil_kernel(SYS_prlimit64, 0, RLIMIT_STACK, &stack, NULL) == 0)
        && frazil_kernel(SYS_personality, personality & ~(long)ADDR_COMPAT_LAYOUT) >= 0)
        frazil_kernel(SYS_execve, "/proc/self/exe", argv, environ);
}

const char *frazil_window_enter(int argc, char **argv)
{
    const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
    unsigned long count = getauxval(AT_PHNUM);
    const frazil_mapping *mappings = frazil_window_mappings();
    const char *linker = interpreter(headers, count);
    int executable = (int)frazil_kernel(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
    uintptr_t base = 0, entry, *block;

    leave_old_layout(argv);
    if (!mappings || executable < 0)
        return "/proc is not there";
    if (!linker)
        return "this is no program with a dynamic linker";
    if (!take_all_above(mappings) || !stop_the_break())
        return "addresses cannot be reserved";
    entry = map_linker(linker, &base);
    if (!entry)
        return "the dynamic linker cannot be mapped";
    block = make_block(argc, argv, base);
    if (!block)
        return "there are too many variables and arguments";
    frazil_restartable_leave();
    start(headers, count, executable, block, entry);
}
