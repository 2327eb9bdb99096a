/* Starting programs: see exec/exec.h.
 *
 * What a path means is resolved into a `start`; the exec functions and posix_spawn then only differ in what they do with it.
 *
 * The exec functions run in children of vfork, which share the memory of their parent: they allocate nothing but a mapping for
 * very many arguments, and what they open is released before the program starts.
 *
 * A program in memfs is copied into a memfd and started from its descriptor, which needs no /proc. A script is given to the
 * interpreter of its first line as /proc/self/fd/N, which does and leaves that descriptor open; a script of the image whose
 * interpreter is our own is given to it by its path. A process so started has its own memfs: it sees the image only when it is
 * our executable, and never files written at run time, so a program in memfs must not need libraries that are only there. */
#define _GNU_SOURCE
#include "exec/exec.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libc/asked.h"
#include "libc/spawn.h"
#include "memfs/memfs.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

#define RUNNING "/proc/self/exe"
#define SHELL "/bin/sh"
#define SEARCHED "/bin:/usr/bin" /* without PATH, as glibc */
#define FIRST_LINE 256 /* BINPRM_BUF_SIZE: how much of a "#!" line Linux reads */
#define WORDS_ON_STACK 1024

extern char **environ;

static const char *executable = "";
static const char *interpreter = "";
static bool application_only;

void frazil_exec_init(const char *executable_path, const char *interpreter_argv0, bool only)
{
    executable = executable_path;
    interpreter = interpreter_argv0;
    application_only = only;
}

typedef struct start {
    const char *path; /* of the program */
    int program; /* its memfd, or -1 */
    int script; /* a memfd that it reads, or -1 */
    const char *words[3]; /* what stands in the place of argv[0] */
    size_t count; /* of words; 0: argv stays as it is */
    char script_path[PATH_MAX];
    char line[FIRST_LINE + 1];
} start;

static void release(start *of)
{
    int error = errno;

    if (of->program >= 0)
        close(of->program);
    if (of->script >= 0)
        close(of->script);
    errno = error;
}

/* --- what a path means --- */

static bool look_at(const char *path, struct stat *status)
{
    return syscall(SYS_newfstatat, AT_FDCWD, path, status, 0) == 0;
}

static bool is_gone(const char *path)
{
    struct stat status;

    return !look_at(path, &status);
}

/* Whether a path outside memfs is our own executable, by any name; also when that was deleted. */
static bool is_self(const char *path)
{
    struct stat own, other;

    if (!*executable)
        return false;
    if (strcmp(path, executable) == 0)
        return true;
    return look_at(path, &other) && (look_at(executable, &own) || look_at(RUNNING, &own)) && own.st_dev == other.st_dev
        && own.st_ino == other.st_ino;
}

static void start_self(start *of, const char *path, bool as_interpreter)
{
    of->path = is_gone(path) ? RUNNING : path;
    if (as_interpreter && !application_only)
        of->words[of->count++] = interpreter;
}

/* A memfd with that content; -1 and errno. It closes on exec unless `stays`. */
static int copy_content(const frazil_content *content, bool stays)
{
    unsigned flags = stays ? 0 : MFD_CLOEXEC;
    int file = (int)syscall(SYS_memfd_create, "program", flags | MFD_EXEC);

    if (file < 0 && errno == EINVAL)
        file = (int)syscall(SYS_memfd_create, "program", flags);
    for (size_t done = 0; file >= 0 && done < content->size;) {
        ssize_t written = write(file, content->data + done, content->size - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            close(file);
            return -1;
        }
        done += (size_t)written;
    }
    return file;
}

/* Cuts "#! PROGRAM ARGUMENT" into the program and the rest, which may be NULL; false when it names no program. */
static bool cut_first_line(char *line, const char **program, const char **argument)
{
    char *at = line + 2, *end;

    line[strcspn(line, "\n")] = '\0';
    at += strspn(at, " \t");
    *program = at;
    end = at + strcspn(at, " \t");
    at = end + strspn(end, " \t");
    *end = '\0';
    *argument = *at ? at : NULL;
    for (end = at + strlen(at); end > at && (end[-1] == ' ' || end[-1] == '\t'); *--end = '\0')
        ;
    if (*argument && !**argument)
        *argument = NULL;
    return **program != '\0';
}

static int resolve_memory(start *of, const char *path, const frazil_content *content);

static int open_program(const char *path, frazil_content *content)
{
    int error;

    if (access(path, X_OK) != 0)
        return errno;
    error = frazil_content_open(path, content);
    return error == EISDIR ? EACCES : error;
}

static int resolve_script(start *of, const char *path, const frazil_content *content)
{
    const char *program, *argument;
    size_t length = content->size < FIRST_LINE ? content->size : FIRST_LINE;
    frazil_content inner;
    int error;

    memcpy(of->line, content->data, length);
    of->line[length] = '\0';
    if (!cut_first_line(of->line, &program, &argument))
        return ENOEXEC;
    of->words[of->count++] = program;
    if (argument)
        of->words[of->count++] = argument;
    of->words[of->count++] = of->script_path;

    if (content->unchanged && strcmp(program, interpreter) == 0) {
        of->path = is_gone(executable) ? RUNNING : executable;
        return frazil_memfs_realpath(path, of->script_path, sizeof of->script_path);
    }
    of->script = copy_content(content, true);
    if (of->script < 0)
        return errno;
    snprintf(of->script_path, sizeof of->script_path, "/proc/self/fd/%d", of->script);
    of->path = strcmp(program, interpreter) == 0 ? is_gone(executable) ? RUNNING : executable : program;
    if (of->path != program || !frazil_memfs_owns(program))
        return 0;
    error = open_program(program, &inner);
    if (error)
        return error;
    /* A script cannot be the interpreter of a script here; Linux allows a few levels, but nobody uses them. */
    error = inner.size >= 2 && memcmp(inner.data, "#!", 2) == 0 ? ENOEXEC : resolve_memory(of, program, &inner);
    frazil_content_release(&inner);
    return error;
}

static int resolve_memory(start *of, const char *path, const frazil_content *content)
{
    if (content->size >= 2 && memcmp(content->data, "#!", 2) == 0)
        return resolve_script(of, path, content);
    if (content->size < 4 || memcmp(content->data, "\177ELF", 4) != 0)
        return ENOEXEC;
    of->path = path;
    of->program = copy_content(content, false);
    return of->program < 0 ? errno : 0;
}

/* 0, or an errno value; release() in either case. */
static int resolve(start *of, const char *path, char *const argv[])
{
    frazil_content content;
    int error;

    of->path = path;
    of->program = of->script = -1;
    of->count = 0;
    if (!path)
        return 0;
    if (*interpreter && strcmp(path, interpreter) == 0) {
        start_self(of, executable, true);
        return 0;
    }
    if (frazil_memfs_owns(path)) {
        error = open_program(path, &content);
        if (error)
            return error;
        error = resolve_memory(of, path, &content);
        frazil_content_release(&content);
        return error;
    }
    frazil_saw(FRAZIL_LOOK_RUN, AT_FDCWD, path, 0);
    if (is_self(path))
        start_self(of, path, frazil_exec_wants_interpreter(argv));
    return 0;
}

/* --- exec --- */

typedef int use(void *context, const char *path, char *const argv[], char *const envp[]);

/* Call `used` with `words` in the place of argv[0]. */
static int with_words(
    use *used, void *context, const char *path, const char *const *words, size_t count, char *const argv[], char *const envp[])
{
    char *on_stack[WORDS_ON_STACK];
    char **made = on_stack;
    size_t length = 0;
    int result;

    if (count == 0)
        return used(context, path, argv, envp);
    if (argv && argv[0])
        argv++;
    while (argv && argv[length])
        length++;
    if (count + length >= WORDS_ON_STACK) {
        made = mmap(NULL, (count + length + 1) * sizeof *made, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (made == MAP_FAILED)
            return errno = E2BIG, -1;
    }
    memcpy(made, words, count * sizeof *made);
    if (length)
        memcpy(made + count, argv, length * sizeof *made);
    made[count + length] = NULL;
    result = used(context, path, made, envp);
    if (made != on_stack) {
        int error = errno;
        munmap(made, (count + length + 1) * sizeof *made);
        errno = error;
    }
    return result;
}

static int exec_path(void *unused, const char *path, char *const argv[], char *const envp[])
{
    (void)unused;
    return (int)syscall(SYS_execve, path, argv, envp);
}

static int exec_file(void *start_, const char *path, char *const argv[], char *const envp[])
{
    const start *of = start_;

    (void)path;
    return (int)syscall(SYS_execveat, of->program, "", argv, envp, AT_EMPTY_PATH);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    start of;
    int error = resolve(&of, path, argv);

    if (error)
        errno = error;
    else
        with_words(of.program >= 0 ? exec_file : exec_path, &of, of.path, of.words, of.count, argv, envp);
    release(&of);
    return -1;
}

int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

int execveat(int directory, const char *path, char *const argv[], char *const envp[], int flags)
{
    if (flags == 0 && (*path == '/' || (directory == AT_FDCWD && *path)))
        return execve(path, argv, envp);
    return (int)syscall(SYS_execveat, directory, path, argv, envp, flags);
}

/* The next place of PATH to look for a name; start with *at the list; false at the end. Too long ones are passed over. */
static bool next_candidate(const char **at, const char *name, char path[PATH_MAX])
{
    while (*at) {
        bool mount = strncmp(*at, FRAZIL_MOUNT "/", strlen(FRAZIL_MOUNT "/")) == 0; /* its colon does not end the entry */
        const char *end = strchrnul(*at + (mount ? strlen(FRAZIL_MOUNT) : 0), ':');
        size_t length = (size_t)(end - *at);
        bool fits = length + 1 + strlen(name) < PATH_MAX;
        if (fits) {
            memcpy(path, *at, length);
            if (length)
                path[length++] = '/';
            strcpy(path + length, name);
        }
        *at = *end ? end + 1 : NULL;
        if (fits)
            return true;
    }
    return false;
}

static const char *searched(void)
{
    const char *list = getenv("PATH");

    return list ? list : SEARCHED;
}

static bool is_not_there(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ESTALE || error == ENODEV || error == ETIMEDOUT;
}

/* As execvpe does: what the kernel does not know is a script for the shell. */
static int exec_or_shell(const char *path, char *const argv[], char *const envp[])
{
    const char *const words[] = {SHELL, path};

    execve(path, argv, envp);
    if (errno == ENOEXEC && !frazil_memfs_owns(path))
        with_words(exec_path, NULL, SHELL, words, 2, argv, envp);
    return -1;
}

int execvpe(const char *name, char *const argv[], char *const envp[])
{
    char path[PATH_MAX];
    const char *at = searched();
    bool refused = false;

    if (!*name) {
        errno = ENOENT;
        return -1;
    }
    if (strchr(name, '/'))
        return exec_or_shell(name, argv, envp);
    errno = ENOENT;
    while (next_candidate(&at, name, path)) {
        exec_or_shell(path, argv, envp);
        if (errno == EACCES)
            refused = true;
        else if (!is_not_there(errno))
            return -1;
    }
    if (refused)
        errno = EACCES;
    return -1;
}

int execvp(const char *name, char *const argv[])
{
    return execvpe(name, argv, environ);
}

static size_t count_words(va_list *list)
{
    size_t count = 0;

    while (va_arg(*list, const char *))
        count++;
    return count;
}

/* Both go through the list up to the NULL; the argument before the list is the first word. */
static void take_words(const char *first, va_list *list, char **words)
{
    *words = (char *)first;
    while (*words++)
        *words = va_arg(*list, char *);
}

/* Declares `words`, the argument list that begins with `first`, and `list`, which then stands behind its NULL. A macro, since
 * only the variadic function itself can start its list. */
#define TAKE_WORDS(first)                                                                                                      \
    va_list list;                                                                                                              \
    va_start(list, first);                                                                                                     \
    char *words[count_words(&list) + 2];                                                                                       \
    va_end(list);                                                                                                              \
    va_start(list, first);                                                                                                     \
    take_words(first, &list, words)

int execl(const char *path, const char *first, ...)
{
    TAKE_WORDS(first);
    va_end(list);
    return execve(path, words, environ);
}

int execlp(const char *name, const char *first, ...)
{
    TAKE_WORDS(first);
    va_end(list);
    return execvpe(name, words, environ);
}

int execle(const char *path, const char *first, ...)
{
    TAKE_WORDS(first);
    char *const *envp = va_arg(list, char *const *);
    va_end(list);
    return execve(path, words, envp);
}

/* --- spawn --- */

typedef int spawn_function(
    pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[]);

typedef struct spawn_context {
    spawn_function *function;
    pid_t *pid;
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
} spawn_context;

static int spawn_path(void *context, const char *path, char *const argv[], char *const envp[])
{
    const spawn_context *with = context;

    return with->function(with->pid, path, with->actions, with->attributes, argv, envp);
}

static spawn_function *libc_spawn(const char *name)
{
    spawn_function *function;

    *(void **)&function = dlsym(RTLD_NEXT, name);
    return function;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
    char *const argv[], char *const envp[])
{
    spawn_context with = {libc_spawn("posix_spawn"), pid, actions, attributes};
    char program[64];
    start of;
    int error = resolve(&of, path, argv);

    /* By the parent's number: file actions may close the descriptor in the child, and this call returns after the child's exec.
     */
    if (!error && of.program >= 0) {
        snprintf(program, sizeof program, "/proc/%ld/fd/%d", (long)getpid(), of.program);
        of.path = program;
    }
    if (!error && of.script >= 0)
        snprintf(of.script_path, sizeof of.script_path, "/proc/self/fd/%d", frazil_spawn_keep(actions, of.script));
    if (!error)
        error = with_words(spawn_path, &with, of.path, of.words, of.count, argv, envp);
    if (of.script >= 0)
        frazil_spawn_restore(actions);
    release(&of);
    return error;
}

int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
    char *const argv[], char *const envp[])
{
    char path[PATH_MAX];
    const char *at = searched();

    if (strchr(name, '/'))
        return frazil_memfs_owns(name) || is_self(name)
            ? posix_spawn(pid, name, actions, attributes, argv, envp)
            : libc_spawn("posix_spawnp")(pid, name, actions, attributes, argv, envp);
    while (*name && next_candidate(&at, name, path)) {
        struct stat status;
        bool inside = frazil_memfs_owns(path);
        if (access(path, X_OK) != 0 || (!inside && (!look_at(path, &status) || !S_ISREG(status.st_mode))))
            continue;
        if (inside || is_self(path))
            return posix_spawn(pid, path, actions, attributes, argv, envp);
        break;
    }
    return libc_spawn("posix_spawnp")(pid, name, actions, attributes, argv, envp);
}
