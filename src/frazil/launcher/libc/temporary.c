/* mkstemp and its family. */
#include "libc/real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfs/kernel.h"
#include "memfs/walk.h"

#define ATTEMPTS (62 * 62 * 62)

/* The place of the Xs, or NULL with EINVAL. */
static char *placeholder(char *template, int suffix)
{
    size_t length = strlen(template);

    if (suffix < 0 || length < 6 + (size_t)suffix || memcmp(template + length - (size_t)suffix - 6, "XXXXXX", 6) != 0)
        return errno = EINVAL, NULL;
    return template + length - suffix - 6;
}

static void fill_in(char *place)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    uint64_t value = 0;

    if (getrandom(&value, sizeof value, GRND_NONBLOCK) != sizeof value) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        value = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)now.tv_sec;
    }
    for (int i = 0; i < 6; i++, value /= 62)
        place[i] = letters[value % 62];
}

typedef int make_function(const char *path, int flags);

static int make_file(const char *path, int flags)
{
    return open(path, (flags & ~O_ACCMODE) | O_RDWR | O_CREAT | O_EXCL, 0600);
}

static int make_directory(const char *path, int flags)
{
    return mkdir(path, 0700 | (mode_t)flags);
}

/* Fails with EEXIST for what exists, like the others. */
static int make_nothing(const char *path, int flags)
{
    struct stat status;

    (void)flags;
    if (lstat(path, &status) == 0)
        return errno = EEXIST, -1;
    return errno == ENOENT ? 0 : -1;
}

FRAZIL_SLOW static int make(char *template, int suffix, int flags, make_function *make_it)
{
    int before = errno;
    char *place = placeholder(template, suffix);

    for (int attempt = 0; place != NULL && attempt < ATTEMPTS; attempt++) {
        fill_in(place);
        int result = make_it(template, flags);
        if (result >= 0)
            return errno = before, result;
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

#define IS_OURS(template) frazil_is_memfs(AT_FDCWD, template)

#define MAKES_FILE(name, real, parameters, suffix, flags, ...)                                                                 \
    FRAZIL_EXPORT int name parameters                                                                                          \
    {                                                                                                                          \
        return IS_OURS(template) ? make(template, suffix, flags, make_file) : FRAZIL_REAL_OF(real)(__VA_ARGS__);               \
    }

MAKES_FILE(mkstemp, mkstemp, (char *template), 0, 0, template)
MAKES_FILE(mkstemp64, mkstemp, (char *template), 0, 0, template)
MAKES_FILE(mkostemp, mkostemp, (char *template, int flags), 0, flags, template, flags)
MAKES_FILE(mkostemp64, mkostemp, (char *template, int flags), 0, flags, template, flags)
MAKES_FILE(mkstemps, mkstemps, (char *template, int suffix), suffix, 0, template, suffix)
MAKES_FILE(mkstemps64, mkstemps, (char *template, int suffix), suffix, 0, template, suffix)
MAKES_FILE(mkostemps, mkostemps, (char *template, int suffix, int flags), suffix, flags, template, suffix, flags)
MAKES_FILE(mkostemps64, mkostemps, (char *template, int suffix, int flags), suffix, flags, template, suffix, flags)

FRAZIL_EXPORT char *mkdtemp(char *template)
{
    if (!IS_OURS(template))
        return FRAZIL_REAL_OF(mkdtemp)(template);
    return make(template, 0, 0, make_directory) < 0 ? NULL : template;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* dangerous, but programs still call it */
FRAZIL_EXPORT char *mktemp(char *template)
{
    if (!IS_OURS(template))
        return FRAZIL_REAL_OF(mktemp)(template);
    if (make(template, 0, 0, make_nothing) < 0)
        template[0] = 0;
    return template;
}
#pragma GCC diagnostic pop
