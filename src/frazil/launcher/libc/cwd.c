/* The current directory, and normal paths. */
#include "libc/real.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libc/asked.h"
#include "memfs/call.h"
#include "memfs/kernel.h"
#include "memfs/memfs.h"
#include "memfs/walk.h"

static bool is_cwd_in_memfs(void)
{
    return __atomic_load_n(&frazil_cwd, __ATOMIC_RELAXED) != NULL;
}

FRAZIL_EXPORT int chdir(const char *path)
{
    if (is_cwd_in_memfs() || frazil_is_memfs(AT_FDCWD, path))
        return (int)frazil_result(path != NULL ? frazil_call_chdir(path) : -EFAULT);
    return (int)FRAZIL_LIBC(SYS_chdir, path);
}

FRAZIL_EXPORT int fchdir(int fd)
{
    if (is_cwd_in_memfs() || frazil_fd_maybe(fd))
        return (int)frazil_result(frazil_call_fchdir(fd));
    return (int)FRAZIL_LIBC(SYS_fchdir, fd);
}

/* As glibc's: a NULL buffer is allocated, of the size given, or as large as needed for size 0. False: the kernel's to answer.
 */
FRAZIL_SLOW static bool cwd_in_memfs(char *buffer, size_t size, char **result)
{
    char path[PATH_MAX];

    *result = NULL;
    if (size == 0 && buffer != NULL) {
        errno = EINVAL;
        return true;
    }
    long length = frazil_call_getcwd(path, sizeof path);
    if (length == 0)
        return false;
    if (length > 0 && size != 0 && (size_t)length > size)
        length = -ERANGE;
    if (frazil_result(length) < 0)
        return true;
    if (buffer == NULL)
        buffer = malloc(size != 0 ? size : (size_t)length);
    if (buffer != NULL)
        memcpy(buffer, path, (size_t)length);
    *result = buffer;
    return true;
}

FRAZIL_EXPORT char *getcwd(char *buffer, size_t size)
{
    char *result;

    if (is_cwd_in_memfs() && cwd_in_memfs(buffer, size, &result))
        return result;
    frazil_saw_directory();
    return FRAZIL_REAL_OF(getcwd)(buffer, size);
}

FRAZIL_EXPORT char *__getcwd_chk(char *buffer, size_t size, size_t room)
{
    if (size > room)
        abort();
    return getcwd(buffer, size);
}

FRAZIL_EXPORT char *get_current_dir_name(void)
{
    if (is_cwd_in_memfs())
        return getcwd(NULL, 0);
    frazil_saw_directory();
    return FRAZIL_REAL_OF(get_current_dir_name)();
}

FRAZIL_EXPORT char *getwd(char *buffer)
{
    if (is_cwd_in_memfs())
        return getcwd(buffer, PATH_MAX);
    frazil_saw_directory();
    return FRAZIL_REAL_OF(getcwd)(buffer, PATH_MAX);
}

/* realpath */

FRAZIL_SLOW static char *realpath_memfs(const char *path, char *resolved)
{
    char found[PATH_MAX];
    int error = frazil_memfs_realpath(path, found, sizeof found);

    if (error == EXDEV) /* it leads to a real path */
        return FRAZIL_REAL_OF(realpath)(found, resolved);
    if (error != 0) {
        errno = error == ERANGE ? ENAMETOOLONG : error;
        return NULL;
    }
    return resolved != NULL ? strcpy(resolved, found) : strdup(found);
}

FRAZIL_EXPORT char *realpath(const char *restrict path, char *restrict resolved)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return realpath_memfs(path, resolved);
    frazil_saw(FRAZIL_LOOK_REAL_PATH, AT_FDCWD, path, 0);
    return FRAZIL_REAL_OF(realpath)(path, resolved);
}

FRAZIL_EXPORT char *__realpath_chk(const char *path, char *resolved, size_t room)
{
    if (resolved != NULL && room < PATH_MAX)
        abort();
    return realpath(path, resolved);
}

FRAZIL_EXPORT char *canonicalize_file_name(const char *path)
{
    return realpath(path, NULL);
}
