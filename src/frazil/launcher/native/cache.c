/* A private directory of libraries on disk: see native/cache.h.
 *
 * Files are named relative to the directory's descriptor. Only the last step, which is not ours, goes by path: the dynamic
 * linker's. By then the directory is known to be closed to others. */
#define _GNU_SOURCE
#include "native/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native/sha256.h"
#include "platform/private_directory.h"

/* 64 digits, ".so", the zero. */
#define NAME_SIZE 68

/* The kernel's, not the launcher's own definition: these paths are never in memfs. */
static int open_at(int directory, const char *path, int flags)
{
    return (int)syscall(SYS_openat, directory, path, flags | O_CLOEXEC, 0400);
}

/* Opens the candidate of that number and gives its path; -1 when it will not do. */
static int open_candidate(int number, char path[PATH_MAX])
{
    const char *temporary = number == FRAZIL_CACHES ? "/var/tmp" : "/tmp";
    char own[32];

    if (number < FRAZIL_CACHES)
        return frazil_private_cache(number, "native", true, path, NAME_SIZE);
    snprintf(own, sizeof own, "frazil-%lu", (unsigned long)geteuid());
    snprintf(path, PATH_MAX, "%s/%s", temporary, own);
    return frazil_private_directory(open_at(AT_FDCWD, temporary, O_RDONLY | O_DIRECTORY), own, true);
}

/* Whether that file is ours, closed to others, holds exactly these bytes, and may be mapped as code. */
static bool holds(int directory, const char *name, const void *data, size_t size)
{
    struct stat status;
    void *mapping = MAP_FAILED;
    bool same = false;
    int file = open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

    if (file < 0)
        return false;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() && !(status.st_mode & 022)
        && (size_t)status.st_size == size)
        mapping = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    if (mapping != MAP_FAILED) {
        same = memcmp(mapping, data, size) == 0;
        munmap(mapping, size);
    }
    close(file);
    return same;
}

static bool write_all(int file, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return true;
}

/* Under another name first, then renamed: a process that looks at the same time sees all of it or nothing. */
static bool store(int directory, const char *name, const void *data, size_t size)
{
    char temporary[NAME_SIZE + 32];
    bool stored = false;
    int file;

    snprintf(temporary, sizeof temporary, "%s.%ld-%lx", name, (long)getpid(), (unsigned long)(uintptr_t)&stored);
    (void)syscall(SYS_unlinkat, directory, temporary, 0);
    file = open_at(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    if (file < 0)
        return false;
    stored = write_all(file, data, size) && fchmod(file, 0500) == 0;
    close(file);
    stored = stored && syscall(SYS_renameat, directory, temporary, directory, name) == 0;
    if (!stored)
        (void)syscall(SYS_unlinkat, directory, temporary, 0);
    return stored;
}

static void name_by_content(const char *name, const void *data, size_t size, char file[NAME_SIZE])
{
    frazil_sha256 sum;
    uint8_t digest[32];

    frazil_sha256_start(&sum);
    frazil_sha256_add(&sum, name, strlen(name) + 1);
    frazil_sha256_add(&sum, data, size);
    frazil_sha256_finish(&sum, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(file + 2 * i, 3, "%02x", digest[i]);
    strcpy(file + 2 * sizeof digest, ".so");
}

bool frazil_native_cache(const char *name, const void *data, size_t size, char path[PATH_MAX])
{
    char file[NAME_SIZE];
    bool found = false;

    name_by_content(name, data, size, file);
    for (int number = 0; number < FRAZIL_CACHES + 2 && !found; number++) {
        int directory = open_candidate(number, path);
        if (directory < 0)
            continue;
        found
            = holds(directory, file, data, size) || (store(directory, file, data, size) && holds(directory, file, data, size));
        close(directory);
    }
    if (found) {
        strcat(path, "/");
        strcat(path, file);
    }
    return found;
}
