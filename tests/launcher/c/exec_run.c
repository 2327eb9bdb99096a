/* Starts programs with exec/exec.c.
 *
 * `exec_run wants ARG...`: whether these arguments (behind argv[0]) ask for an interpreter.
 * `exec_run do MEMFS OPTIONS FUNCTION PATH WORD...`: starts PATH with the words as argv. OPTIONS is a list of letters: o
 * application only, d delete our executable before, v in a child of vfork, p the first place of PATH is in memfs, l very many
 * arguments, - none. Otherwise it says how it was started. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/exec.h"
#include "native_memfs.h"

#define INTERPRETER "/memfs:/bin/python3.11"

extern char **environ;

static char *many[5000];

static int say(int argc, char **argv)
{
    const char *marked = getenv("MARK");

    printf("%s", strcmp(argv[0], INTERPRETER) == 0 ? "interpreter" : "application");
    for (int i = 0; i < argc && i < 8; i++)
        printf(" %s", argv[i]);
    if (argc > 8)
        printf(" %d", argc);
    printf("%s%s\n", marked ? " MARK=" : "", marked ? marked : "");
    return 7;
}

static int spawn(const char *function, const char *path, char **words, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    error = strcmp(function, "posix_spawn") == 0 ? posix_spawn(child, path, &actions, NULL, words, environ)
                                                 : posix_spawnp(child, path, NULL, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int start(const char *function, const char *path, char **words)
{
    static char *marked[] = {"MARK=1", NULL};

    if (strcmp(function, "execve") == 0)
        execve(path, words, environ);
    else if (strcmp(function, "execv") == 0)
        execv(path, words);
    else if (strcmp(function, "execvp") == 0)
        execvp(path, words);
    else if (strcmp(function, "execvpe") == 0)
        execvpe(path, words, marked);
    else if (strcmp(function, "execveat") == 0)
        execveat(AT_FDCWD, path, words, environ, 0);
    else if (strcmp(function, "execl") == 0)
        execl(path, words[0], words[1], words[2], (char *)NULL);
    else if (strcmp(function, "execlp") == 0)
        execlp(path, words[0], words[1], words[2], (char *)NULL);
    else if (strcmp(function, "execle") == 0)
        execle(path, words[0], words[1], words[2], (char *)NULL, marked);
    else
        abort();
    return errno;
}

static int open_files(void)
{
    int count = 0;

    for (int file = 0; file < 1000; file++)
        count += fcntl(file, F_GETFD) >= 0;
    return count;
}

static int finish(int error, pid_t child, int files)
{
    int status;

    if (error) {
        printf("%s\n", strerrorname_np(error));
        return 1;
    }
    waitpid(child, &status, 0);
    if (open_files() != files)
        printf("descriptors were left open\n");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static pid_t start_in_vfork(const char *path, char *const *words)
{
    pid_t child = vfork();

    if (child == 0) {
        execve(path, words, environ);
        _exit(100);
    }
    return child;
}

static char executable[PATH_MAX];

static int do_it(const char *options, const char *function, const char *path, char **words)
{
    int files = open_files(), error;
    pid_t child = 0;

    if (strchr(options, 'd'))
        unlink(executable);
    if (strchr(options, 'p'))
        setenv("PATH", "/nowhere:/memfs:/bin:/memfs:/tools:/usr/bin:/bin", 1);
    if (strchr(options, 'l')) {
        for (size_t i = 0; i < 4999; i++)
            many[i] = "word";
        for (size_t i = 0; words[i]; i++)
            many[i] = words[i];
        words = many;
    }
    fflush(stdout);
    if (strncmp(function, "posix_spawn", 11) == 0) {
        error = spawn(function, path, words, &child);
        return finish(error, child, files);
    }
    if (!strchr(options, 'v'))
        return finish(start(function, path, words), 0, files);
    return finish(0, start_in_vfork(path, words), files);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "wants") == 0) {
        printf("%s\n", frazil_exec_wants_interpreter(argv + 1) ? "yes" : "no");
        return 0;
    }
    if (argc < 7 || strcmp(argv[1], "do") != 0)
        return say(argc, argv);
    test_memfs_root(argv[2]);
    if (!realpath("/proc/self/exe", executable))
        abort();
    frazil_exec_init(executable, INTERPRETER, strchr(argv[3], 'o') != NULL);
    return do_it(argv[3], argv[4], argv[5], argv + 6);
}
