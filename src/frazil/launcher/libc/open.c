/* open and its twins. */
#include "libc/real.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "libc/asked.h"
#include "memfs/call.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"

static int open_at(int directory, const char *path, int flags, mode_t mode)
{
    if (frazil_is_memfs(directory, path))
        return (int)frazil_result(frazil_call_open(directory, path, flags, mode));
    frazil_saw(FRAZIL_LOOK_OPEN, directory, path, flags);
    return (int)FRAZIL_LIBC(SYS_openat, directory, path, flags, mode);
}

#define TAKES_MODE(flags) (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE)

#define MODE(flags, last)                                                                                                      \
    mode_t mode = 0;                                                                                                           \
    if (TAKES_MODE(flags)) {                                                                                                   \
        va_list arguments;                                                                                                     \
        va_start(arguments, last);                                                                                             \
        mode = va_arg(arguments, mode_t);                                                                                      \
        va_end(arguments);                                                                                                     \
    }

FRAZIL_EXPORT int open(const char *path, int flags, ...)
{
    MODE(flags, flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

FRAZIL_EXPORT int open64(const char *path, int flags, ...)
{
    MODE(flags, flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

FRAZIL_EXPORT int __open(const char *path, int flags, ...)
{
    MODE(flags, flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

FRAZIL_EXPORT int __open64(const char *path, int flags, ...)
{
    MODE(flags, flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

FRAZIL_EXPORT int openat(int directory, const char *path, int flags, ...)
{
    MODE(flags, flags)
    return open_at(directory, path, flags, mode);
}

FRAZIL_EXPORT int openat64(int directory, const char *path, int flags, ...)
{
    MODE(flags, flags)
    return open_at(directory, path, flags, mode);
}

FRAZIL_EXPORT int creat(const char *path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

FRAZIL_EXPORT int creat64(const char *path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

/* The fortified twins: O_CREAT without a mode is a bug that they exist to catch. */
static void require_no_mode(int flags)
{
    if (TAKES_MODE(flags))
        abort();
}

FRAZIL_EXPORT int __open_2(const char *path, int flags)
{
    require_no_mode(flags);
    return open_at(AT_FDCWD, path, flags, 0);
}

FRAZIL_EXPORT int __open64_2(const char *path, int flags)
{
    require_no_mode(flags);
    return open_at(AT_FDCWD, path, flags, 0);
}

FRAZIL_EXPORT int __openat_2(int directory, const char *path, int flags)
{
    require_no_mode(flags);
    return open_at(directory, path, flags, 0);
}

FRAZIL_EXPORT int __openat64_2(int directory, const char *path, int flags)
{
    require_no_mode(flags);
    return open_at(directory, path, flags, 0);
}
