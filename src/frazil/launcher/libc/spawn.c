/* File actions of posix_spawn, which libc carries out by itself in the child: the child inherits what we open for it. */
#include "libc/real.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <unistd.h>

#include "libc/spawn.h"
#include "memfs/fd.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"

#define OUT_OF_THE_WAY 256 /* of the numbers that other actions name */

/* Descriptors that are open for the sake of actions, until these are destroyed. */
typedef struct opened {
    const posix_spawn_file_actions_t *actions;
    int fd;
    struct opened *next;
} opened;

static opened *all; /* under memfs's lock */

/* Actions that close all descriptors from some number on, as Python 3.13's subprocess asks for. */
typedef struct closing {
    const posix_spawn_file_actions_t *actions;
    int before; /* how many actions there were without it */
    int from;
    struct closing *next;
} closing;

static closing *closings; /* under memfs's lock */

FRAZIL_EXPORT int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to)
{
    if (frazil_fd_maybe(fd))
        frazil_fd_keep_memfd(fd);
    return FRAZIL_REAL_OF(posix_spawn_file_actions_adddup2)(actions, fd, to);
}

/* A descriptor of a file in memfs that nobody else closes, or -1 with errno. */
static int open_for(const char *path, int flags, mode_t mode)
{
    int fd = open(path, flags | O_CLOEXEC, mode);
    int high = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY) : -1;
    int error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return high;
}

static FRAZIL_SLOW int add_open(posix_spawn_file_actions_t *actions, int to, const char *path, int flags, mode_t mode)
{
    opened *one = malloc(sizeof *one);
    int error = ENOMEM, fd = one != NULL ? open_for(path, flags, mode) : -1;

    if (fd >= 0) {
        error = posix_spawn_file_actions_adddup2(actions, fd, to);
    } else if (one != NULL) {
        error = errno;
    }
    if (error != 0) {
        if (fd >= 0)
            close(fd);
        free(one);
        return error;
    }
    frazil_lock();
    *one = (opened){actions, fd, all};
    all = one;
    frazil_unlock();
    return 0;
}

/* The file is opened now and not in the child; that is when a failure shows, too. */
FRAZIL_EXPORT int posix_spawn_file_actions_addopen(
    posix_spawn_file_actions_t *actions, int fd, const char *path, int flags, mode_t mode)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return add_open(actions, fd, path, flags, mode);
    return FRAZIL_REAL_OF(posix_spawn_file_actions_addopen)(actions, fd, path, flags, mode);
}

/* Where the closing of these actions hangs; memfs's lock is held. */
static closing **closing_of(const posix_spawn_file_actions_t *actions)
{
    closing **at = &closings;

    while (*at != NULL && (*at)->actions != actions)
        at = &(*at)->next;
    return at;
}

static void forget_closing(const posix_spawn_file_actions_t *actions)
{
    frazil_lock();
    closing **at = closing_of(actions), *one = *at;
    if (one != NULL)
        *at = one->next;
    frazil_unlock();
    free(one);
}

FRAZIL_EXPORT int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from)
{
    closing *one = malloc(sizeof *one);
    int before = actions->__used, error = ENOMEM;

    if (one != NULL)
        error = FRAZIL_REAL_OF(posix_spawn_file_actions_addclosefrom_np)(actions, from);
    if (error != 0) {
        free(one);
        return error;
    }
    forget_closing(actions);
    frazil_lock();
    *one = (closing){actions, before, from, closings};
    closings = one;
    frazil_unlock();
    return 0;
}

/* The closing if it is the last of these actions. */
static bool closes_last(const posix_spawn_file_actions_t *actions, closing *found)
{
    if (actions == NULL)
        return false;
    frazil_lock();
    const closing *one = *closing_of(actions);
    bool last = one != NULL && actions->__used == one->before + 1;
    if (last)
        *found = *one;
    frazil_unlock();
    return last;
}

int frazil_spawn_keep(const posix_spawn_file_actions_t *actions, int fd)
{
    posix_spawn_file_actions_t *changed = (posix_spawn_file_actions_t *)actions;
    closing found;

    if (!closes_last(actions, &found) || fd < found.from)
        return fd;
    /* In the place of closefrom(from): fd moves to from, closefrom(from + 1). */
    changed->__used = found.before;
    bool moved = posix_spawn_file_actions_adddup2(changed, fd, found.from) == 0;
    FRAZIL_REAL_OF(posix_spawn_file_actions_addclosefrom_np)(changed, moved ? found.from + 1 : found.from);
    return found.from;
}

void frazil_spawn_restore(const posix_spawn_file_actions_t *actions)
{
    posix_spawn_file_actions_t *changed = (posix_spawn_file_actions_t *)actions;

    if (actions == NULL)
        return;
    frazil_lock();
    closing one = {0}, *found = *closing_of(actions);
    if (found != NULL)
        one = *found;
    frazil_unlock();
    if (found == NULL || actions->__used != one.before + 2)
        return;
    changed->__used = one.before;
    FRAZIL_REAL_OF(posix_spawn_file_actions_addclosefrom_np)(changed, one.from);
}

/* Take one of the descriptors that were opened for the actions; -1 when there is none left. */
static int take(const posix_spawn_file_actions_t *actions)
{
    int fd = -1;

    frazil_lock();
    opened **at = &all;
    while (*at != NULL && (*at)->actions != actions)
        at = &(*at)->next;
    opened *one = *at;
    if (one != NULL) {
        *at = one->next;
        fd = one->fd;
    }
    frazil_unlock();
    free(one);
    return fd;
}

FRAZIL_EXPORT int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
    if (__atomic_load_n(&all, __ATOMIC_RELAXED) != NULL)
        for (int fd = take(actions); fd >= 0; fd = take(actions))
            close(fd);
    if (__atomic_load_n(&closings, __ATOMIC_RELAXED) != NULL)
        forget_closing(actions);
    return FRAZIL_REAL_OF(posix_spawn_file_actions_destroy)(actions);
}
