/* Asking the system what imports asked it (warm/condition.h). Changes nothing, and calls libc only where the kernel has no
 * answer of its own. */
#include "libc/real.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include "image/crc32.h"
#include "memfs/kernel.h"
#include "warm/condition.h"

#define CONTENT_SIZE 65536u
#define AFFINITY_WORDS 64

static bool look(const char *name, uint32_t flags, struct stat *status)
{
    return frazil_kernel(SYS_newfstatat, AT_FDCWD, name, status, flags) == 0;
}

static void ask_access(const char *name, uint32_t mode, frazil_answer *answer)
{
    static const long faccessat2 = 439;
    long result = mode & FRAZIL_EFFECTIVE ? frazil_kernel(faccessat2, AT_FDCWD, name, mode & ~FRAZIL_EFFECTIVE, AT_EACCESS)
                                          : frazil_kernel(SYS_faccessat, AT_FDCWD, name, mode);

    answer->number[0] = result == 0;
}

/* Size and time of files in /proc and /sys say nothing. A file that cannot be read is as an empty one. */
static void ask_content(const char *name, frazil_answer *answer)
{
    unsigned char data[4096];
    uint32_t crc = 0;
    uint64_t size = 0;
    long file = frazil_kernel(SYS_openat, AT_FDCWD, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0), count = 1;

    while (file >= 0 && size < CONTENT_SIZE && (count = frazil_kernel(SYS_read, file, data, sizeof data)) > 0) {
        crc = frazil_crc32(crc, data, (size_t)count);
        size += (uint64_t)count;
    }
    if (file >= 0)
        frazil_kernel(SYS_close, file);
    answer->number[0] = crc;
    answer->number[1] = size;
}

static void ask_window(uint32_t stream, frazil_answer *answer)
{
    struct winsize size;

    if (frazil_kernel(SYS_ioctl, stream, TIOCGWINSZ, &size) == 0) {
        answer->number[0] = 1;
        answer->number[1] = (uint64_t)size.ws_row << 16 | size.ws_col;
    }
}

/* Without leading zeros. Not by printf: nothing else of the key needs so much of libc, which is not read in yet. */
static char *write_hexadecimal(char *at, uint64_t number)
{
    int shift = 60;

    while (shift > 0 && number >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[number >> shift & 15];
    return at;
}

/* As hexadecimal words, the first processors first. */
static void ask_processors(frazil_answer *answer)
{
    uint64_t words[AFFINITY_WORDS];
    long size = frazil_kernel(SYS_sched_getaffinity, 0, sizeof words, words);
    size_t count = size > 0 ? (size_t)size / 8 : 0;
    char *at = answer->text;

    while (count > 1 && words[count - 1] == 0)
        count--;
    for (size_t i = 0; i < count; i++) {
        if (i)
            *at++ = ',';
        at = write_hexadecimal(at, words[i]);
    }
    *at = '\0';
}

static void ask_host(uint32_t field, frazil_answer *answer)
{
    struct utsname names;
    const char *const fields[] = {names.sysname, names.nodename, names.release, names.version, names.machine};

    if (field < sizeof fields / sizeof *fields && frazil_kernel(SYS_uname, &names) == 0)
        snprintf(answer->text, sizeof answer->text, "%s", fields[field]);
}

static void ask_limit(uint32_t resource, frazil_answer *answer)
{
    struct rlimit limit;

    if (frazil_kernel(SYS_prlimit64, 0, resource, NULL, &limit) == 0) {
        answer->number[0] = limit.rlim_cur;
        answer->number[1] = limit.rlim_max;
    }
}

static uint64_t umask_of_now(void)
{
    long mask = frazil_kernel(SYS_umask, 077);

    frazil_kernel(SYS_umask, mask);
    return (uint64_t)mask;
}

static bool ask_about_file(uint32_t kind, const char *name, uint32_t argument, frazil_answer *answer)
{
    struct stat status;
    long length;

    switch (kind) {
    case CONDITION_FILE:
        if (!look(name, argument, &status))
            return false;
        answer->number[0] = (uint64_t)status.st_size | (uint64_t)status.st_mode << 48;
        answer->number[1] = (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
        return true;
    case CONDITION_MISSING:
        return !look(name, argument, &status);
    case CONDITION_TYPE:
        answer->number[0] = look(name, argument, &status) ? status.st_mode : 0;
        return true;
    case CONDITION_ACCESS:
        ask_access(name, argument, answer);
        return true;
    case CONDITION_LINK:
        length = frazil_kernel(SYS_readlink, name, answer->text, sizeof answer->text - 1);
        answer->text[length > 0 ? length : 0] = '\0';
        return true;
    case CONDITION_REAL_PATH:
        if (!FRAZIL_REAL_OF(realpath)(name, answer->text))
            answer->text[0] = '\0';
        return true;
    case CONDITION_CONTENT:
        ask_content(name, answer);
        return true;
    default:
        return false;
    }
}

static bool ask_about_process(uint32_t kind, uint32_t argument, frazil_answer *answer)
{
    static const long users[] = {SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid};
    struct termios settings;

    switch (kind) {
    case CONDITION_DIRECTORY:
        if (frazil_kernel(SYS_getcwd, answer->text, sizeof answer->text) < 0)
            answer->text[0] = '\0';
        return true;
    case CONDITION_TERMINAL:
        answer->number[0] = frazil_kernel(SYS_ioctl, argument, TCGETS, &settings) == 0;
        return true;
    case CONDITION_WINDOW:
        ask_window(argument, answer);
        return true;
    case CONDITION_SYSTEM:
        answer->number[0] = (uint64_t)FRAZIL_REAL_OF(sysconf)((int)argument);
        return true;
    case CONDITION_PROCESSORS:
        ask_processors(answer);
        return true;
    case CONDITION_LIMIT:
        ask_limit(argument, answer);
        return true;
    case CONDITION_USER:
        answer->number[0] = argument < 4 ? (uint64_t)frazil_kernel(users[argument], 0) : 0;
        return true;
    case CONDITION_HOST:
        ask_host(argument, answer);
        return true;
    case CONDITION_UMASK:
        answer->number[0] = umask_of_now();
        return true;
    default:
        return false;
    }
}

bool frazil_ask(uint32_t kind, const char *name, uint32_t argument, frazil_answer *answer)
{
    answer->number[0] = answer->number[1] = 0;
    answer->text[0] = '\0';
    return kind >= CONDITION_DIRECTORY ? ask_about_process(kind, argument, answer)
                                       : ask_about_file(kind, name, argument, answer);
}
