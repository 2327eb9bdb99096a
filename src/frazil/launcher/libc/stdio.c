/* Streams: fopen, freopen, fclose. */
#include "libc/real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libc/asked.h"
#include "memfs/call.h"
#include "memfs/fd.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"

/* open's flags for fopen's mode, or -1. */
static int flags_of(const char *mode)
{
    int flags;

    if (mode[0] == 'r')
        flags = O_RDONLY;
    else if (mode[0] == 'w')
        flags = O_WRONLY | O_CREAT | O_TRUNC;
    else if (mode[0] == 'a')
        flags = O_WRONLY | O_CREAT | O_APPEND;
    else
        return -1;
    for (const char *at = mode + 1; *at != 0 && *at != ','; at++) {
        if (*at == '+')
            flags = (flags & ~O_ACCMODE) | O_RDWR;
        else if (*at == 'x')
            flags |= O_EXCL;
        else if (*at == 'e')
            flags |= O_CLOEXEC;
    }
    return flags;
}

/* fopen's mode without "x" and "e", which were dealt with. */
static void plain_mode(char plain[4], const char *mode)
{
    int at = 0;

    plain[at++] = mode[0];
    if (strcspn(mode, "+") < strcspn(mode, ","))
        plain[at++] = '+';
    plain[at] = 0;
}

FRAZIL_SLOW static FILE *open_stream(const char *path, const char *mode)
{
    char plain[4];
    int flags = flags_of(mode);

    if (flags < 0) {
        errno = EINVAL;
        return NULL;
    }
    int fd = (int)frazil_result(frazil_call_open(AT_FDCWD, path, flags, 0666));
    if (fd < 0)
        return NULL;
    plain_mode(plain, mode);
    FILE *stream = fdopen(fd, strchr(mode, ',') != NULL ? mode : plain);
    if (stream == NULL) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return stream;
}

FRAZIL_EXPORT FILE *fopen(const char *path, const char *mode)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return open_stream(path, mode);
    frazil_saw(FRAZIL_LOOK_OPEN, AT_FDCWD, path, flags_of(mode));
    return FRAZIL_REAL_OF(fopen)(path, mode);
}

FRAZIL_EXPORT FILE *fopen64(const char *path, const char *mode)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return open_stream(path, mode);
    frazil_saw(FRAZIL_LOOK_OPEN, AT_FDCWD, path, flags_of(mode));
    return FRAZIL_REAL_OF(fopen64)(path, mode);
}

/* Forget a descriptor that libc is about to close by itself. The node stays until that is done: the stream may still write. */
static frazil_node *forget(FILE *stream)
{
    int before = errno, fd = stream != NULL ? fileno(stream) : -1;
    frazil_node *node = NULL;

    errno = before; /* streams without a descriptor are no error */
    if (!frazil_fd_maybe(fd))
        return NULL;
    frazil_lock();
    if (!frazil_is_guest() && frazil_fd_node(fd) != NULL)
        node = frazil_fd_take(fd);
    frazil_unlock();
    return node;
}

static void let_go(frazil_node *node)
{
    if (node == NULL)
        return;
    frazil_lock();
    frazil_fd_release(node);
    frazil_unlock();
}

/* The stream gets the new description under its old number, with libc's help where /proc is there. */
FRAZIL_SLOW static FILE *reopen_stream(const char *path, const char *mode, FILE *stream)
{
    char plain[4], name[40];
    int flags = flags_of(mode);

    if (flags < 0) {
        errno = EINVAL;
        return NULL;
    }
    fflush(stream);
    frazil_node *old = forget(stream);
    int fd = (int)frazil_result(frazil_call_open(AT_FDCWD, path, flags, 0666));
    let_go(old);
    if (fd < 0) {
        int error = errno;
        fclose(stream);
        errno = error;
        return NULL;
    }
    plain_mode(plain, mode);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (plain[0] == 'w')
        plain[0] = 'r', plain[1] = '+', plain[2] = 0; /* it was truncated when it was opened */
    if (access(name, F_OK) == 0) {
        FILE *result = FRAZIL_REAL_OF(freopen)(name, flags & O_WRONLY ? mode : plain, stream);
        if (result == NULL) {
            close(fd);
            return NULL;
        }
    }
    if (dup2(fd, fileno(stream)) >= 0 && (flags & O_CLOEXEC))
        fcntl(fileno(stream), F_SETFD, FD_CLOEXEC);
    close(fd);
    return stream;
}

FRAZIL_EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return reopen_stream(path, mode, stream);
    frazil_saw(FRAZIL_LOOK_OPEN, AT_FDCWD, path, flags_of(mode));
    frazil_node *old = path != NULL ? forget(stream) : NULL;
    FILE *result = FRAZIL_REAL_OF(freopen)(path, mode, stream);
    let_go(old);
    return result;
}

FRAZIL_EXPORT FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return reopen_stream(path, mode, stream);
    frazil_saw(FRAZIL_LOOK_OPEN, AT_FDCWD, path, flags_of(mode));
    frazil_node *old = path != NULL ? forget(stream) : NULL;
    FILE *result = FRAZIL_REAL_OF(freopen64)(path, mode, stream);
    let_go(old);
    return result;
}

FRAZIL_EXPORT int fclose(FILE *stream)
{
    frazil_node *node = forget(stream);
    int result = FRAZIL_REAL_OF(fclose)(stream);

    if (node != NULL) {
        int error = errno;
        let_go(node);
        errno = error;
    }
    return result;
}
