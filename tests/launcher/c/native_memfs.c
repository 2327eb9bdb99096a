/* memfs for tests: /memfs:/x is the file x of a directory on disk. */
#define _GNU_SOURCE
#include "native_memfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libc/spawn.h"
#include "memfs/memfs.h"

static char root[PATH_MAX];

void test_memfs_root(const char *directory)
{
    if (!realpath(directory, root))
        abort();
}

bool frazil_memfs_owns(const char *path)
{
    return strncmp(path, FRAZIL_MOUNT "/", 8) == 0 || strcmp(path, FRAZIL_MOUNT) == 0 || strncmp(path, "memfs:/", 7) == 0;
}

static int on_disk(const char *path, char *real)
{
    if (!frazil_memfs_owns(path))
        return ENOENT;
    return snprintf(real, PATH_MAX, "%s/%s", root, strchr(path, ':') + 1) < PATH_MAX ? 0 : ENAMETOOLONG;
}

int frazil_content_open(const char *path, frazil_content *content)
{
    char real[PATH_MAX];
    struct stat status;
    int error = on_disk(path, real), file;

    if (error)
        return error;
    file = (int)syscall(SYS_openat, AT_FDCWD, real, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0)
        return errno;
    if (fstat(file, &status) != 0 || S_ISDIR(status.st_mode)) {
        close(file);
        return EISDIR;
    }
    memset(content, 0, sizeof *content);
    content->size = (size_t)status.st_size;
    content->in_image = false;
    if (content->size)
        content->data = mmap(NULL, content->size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    return content->data == MAP_FAILED ? ENOMEM : 0;
}

void frazil_content_release(frazil_content *content)
{
    if (content->data)
        munmap((void *)content->data, content->size);
    memset(content, 0, sizeof *content);
}

int frazil_spawn_keep(const posix_spawn_file_actions_t *actions, int fd)
{
    (void)actions;
    return fd;
}

void frazil_spawn_restore(const posix_spawn_file_actions_t *actions)
{
    (void)actions;
}

int frazil_memfs_realpath(const char *path, char *resolved, size_t size)
{
    char real[PATH_MAX], found[PATH_MAX];
    int error = on_disk(path, real);

    if (error)
        return error;
    if (!realpath(real, found))
        return errno;
    return snprintf(resolved, size, FRAZIL_MOUNT "%s", found + strlen(root)) < (int)size ? 0 : ENAMETOOLONG;
}

/* As the launcher's. */
int access(const char *path, int mode)
{
    char real[PATH_MAX];

    if (frazil_memfs_owns(path)) {
        errno = on_disk(path, real);
        if (errno)
            return -1;
        path = real;
    }
    return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}
