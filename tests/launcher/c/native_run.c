/* Does what its arguments say with native/native.c, one after the other, and prints what came of it. The first is the directory
 * that stands for memfs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native/native.h"
#include "native_memfs.h"

static void *before, *handle;

static void *symbol(const char *name)
{
    void *found = dlsym(handle ? handle : RTLD_DEFAULT, name);

    if (!found)
        printf("%s\n", dlerror());
    return found;
}

static void open_library(const char *name, int flags)
{
    const char *error;

    before = handle;
    handle = dlopen(name, flags);
    error = dlerror();
    printf("%s\n", handle ? "opened" : error ? error : "not opened");
    if (dlerror())
        printf("a second error\n");
}

static void call(const char *name)
{
    int (*function)(void);

    *(void **)&function = symbol(name);
    if (function)
        printf("%d\n", function());
}

static void where(const char *name)
{
    Dl_info info;
    void *address = symbol(name);

    if (address && dladdr(address, &info))
        printf("%s\n", info.dli_fname);
}

/* The number of open descriptors but that of this listing. */
static void count_files(void)
{
    int count = 0;

    for (int file = 0; file < 1000; file++)
        count += fcntl(file, F_GETFD) >= 0;
    printf("%d\n", count);
}

static int print_object(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    if (strncmp(info->dlpi_name, "/memfs:", 7) == 0 || strncmp(info->dlpi_name, "/proc", 5) == 0)
        printf("%s\n", info->dlpi_name);
    return 0;
}

static void *open_in_thread(void *name)
{
    return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

static void open_in_threads(char *name)
{
    pthread_t threads[8];
    void *first = NULL, *opened;
    bool same = true;

    for (size_t i = 0; i < 8; i++)
        if (pthread_create(&threads[i], NULL, open_in_thread, name) != 0)
            abort();
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], &opened);
        if (i == 0)
            first = opened;
        same &= opened && opened == first;
    }
    handle = first;
    printf("%s\n", same ? "same" : "different");
}

/* As a sandbox may: memfd_create fails. */
static void refuse_memfds(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        abort();
}

static void in_child(void)
{
    pid_t child = fork();
    int status;

    fflush(stdout);
    if (child > 0) {
        waitpid(child, &status, 0);
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
    }
}

static void run(char *command)
{
    char *argument = strchr(command, '=');

    if (argument)
        *argument++ = '\0';
    if (strcmp(command, "open") == 0)
        open_library(argument, RTLD_NOW | RTLD_LOCAL);
    else if (strcmp(command, "lazy") == 0)
        open_library(argument, RTLD_LAZY | RTLD_LOCAL);
    else if (strcmp(command, "global") == 0)
        open_library(argument, RTLD_NOW | RTLD_GLOBAL);
    else if (strcmp(command, "noload") == 0)
        open_library(argument, RTLD_NOW | RTLD_NOLOAD);
    else if (strcmp(command, "same") == 0)
        printf("%s\n", handle == before ? "same" : "different");
    else if (strcmp(command, "close") == 0)
        printf("%d\n", dlclose(handle));
    else if (strcmp(command, "forget") == 0)
        handle = NULL;
    else if (strcmp(command, "call") == 0)
        call(argument);
    else if (strcmp(command, "where") == 0)
        where(argument);
    else if (strcmp(command, "files") == 0)
        count_files();
    else if (strcmp(command, "objects") == 0)
        dl_iterate_phdr(print_object, NULL);
    else if (strcmp(command, "threads") == 0)
        open_in_threads(argument);
    else if (strcmp(command, "refuse") == 0)
        refuse_memfds();
    else if (strcmp(command, "chroot") == 0)
        printf("%d\n", chroot(argument) || chdir("/"));
    else if (strcmp(command, "fork") == 0)
        in_child();
    else if (strcmp(command, "closein") == 0)
        close(0);
    else if (strcmp(command, "debug") == 0)
        frazil_native_set_debug(true);
    else
        abort();
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    test_memfs_root(argv[1]);
    for (int i = 2; i < argc; i++)
        run(argv[i]);
    return 0;
}
