/* Whether arguments ask for an interpreter: the grammar of CPython's command line (Python/getopt.c, "python --help-all"). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exec/exec.h"
#include "memfs/memfs.h"

/* Options of CPython 3.11 to 3.13, which also holds -J and -t for others. */
#define FLAGS "?bBdEhiIOPqRsStuvVx"
#define WITH_VALUE "WX"
#define THE_PROGRAM "cm"

typedef enum answer { GO_ON, YES, NO } answer;

static bool ends_with(const char *path, const char *suffix)
{
    size_t length = strlen(path), tail = strlen(suffix);

    return length > tail && strcmp(path + length - tail, suffix) == 0;
}

static bool is_kind(const char *path, mode_t kind)
{
    char resolved[PATH_MAX];
    struct stat status;

    /* memfs, of which the type does not matter: a directory that is named like a script is no program, and Python says so. */
    if (frazil_memfs_owns(path))
        return frazil_memfs_realpath(path, resolved, sizeof resolved) == 0;
    return syscall(SYS_newfstatat, AT_FDCWD, path, &status, 0) == 0 && (status.st_mode & S_IFMT) == kind;
}

static bool is_program(const char *path)
{
    static const char *const suffixes[] = {".py", ".pyc", ".pyz", ".zip"};
    static const char main_module[] = "/__main__.py";
    char inner[PATH_MAX];
    size_t length = strlen(path);

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (ends_with(path, suffixes[i]) && is_kind(path, S_IFREG))
            return true;
    if (length == 0 || length + sizeof main_module > sizeof inner)
        return false;
    memcpy(inner, path, length);
    memcpy(inner + length, main_module, sizeof main_module);
    return is_kind(inner, S_IFREG);
}

/* "--name": moves *at past a value. */
static answer read_long(char *const **at)
{
    static const char *const flags[] = {"help", "help-all", "help-env", "help-xoptions", "version"};
    const char *name = **at + 2;

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(name, flags[i]) == 0)
            return GO_ON;
    if (strcmp(name, "check-hash-based-pycs") != 0 || !(*at)[1])
        return NO;
    ++*at;
    return GO_ON;
}

/* "-xyz": moves *at past a value. */
static answer read_short(char *const **at)
{
    for (const char *letter = **at + 1; *letter; letter++) {
        bool has_value = letter[1] || (*at)[1]; /* the rest of the word, or the next one */
        if (strchr(FLAGS, *letter))
            continue;
        if (strchr(THE_PROGRAM, *letter))
            return has_value ? YES : NO;
        if (!strchr(WITH_VALUE, *letter) || !has_value)
            return NO;
        *at += letter[1] == '\0';
        return GO_ON;
    }
    return GO_ON;
}

bool frazil_exec_wants_interpreter(char *const argv[])
{
    answer answer = GO_ON;

    if (!argv || !argv[0] || !argv[1])
        return false;
    if (strcmp(argv[1], "--multiprocessing-fork") == 0)
        return true;
    for (char *const *at = argv + 1; *at; at++) {
        if (strcmp(*at, "--") == 0)
            return at[1] && is_program(at[1]);
        if ((*at)[0] != '-' || (*at)[1] == '\0')
            return is_program(*at);
        answer = (*at)[1] == '-' ? read_long(&at) : read_short(&at);
        if (answer != GO_ON)
            return answer == YES;
    }
    return false;
}
