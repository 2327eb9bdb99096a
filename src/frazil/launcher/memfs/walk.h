/* From paths to nodes: which paths are memfs's, and what they name.
 *
 * Theory: a path is memfs's when it starts with the mount, or is relative and starts in memfs. The walk follows the kernel's
 * rules (path_resolution(7)). It can leave memfs, through a link to a real path or above the mount: then it ends with
 * FRAZIL_REAL and a path (`text`, nearly always absolute) with which the caller goes on in the kernel. */
#ifndef FRAZIL_MEMFS_WALK_H
#define FRAZIL_MEMFS_WALK_H

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "memfs/fd.h"
#include "memfs/node.h"

#define FRAZIL_REAL (-5000) /* no errno */

enum {
    FRAZIL_FOLLOW = 1, /* a link at the end is followed */
    FRAZIL_LAST = 2, /* the end is a name to be made or removed: never followed, not even before a slash */
    FRAZIL_EMPTY = 4, /* an empty path is the start itself (AT_EMPTY_PATH) */
    FRAZIL_CREATE = 8, /* open with O_CREAT: "name/" would be a directory, which it does not make (EISDIR) */
};

typedef enum frazil_last {
    FRAZIL_NAME,
    FRAZIL_DOT,
    FRAZIL_DOTDOT,
    FRAZIL_TOP, /* the mount itself, or the start of an empty path */
} frazil_last;

typedef struct frazil_walk {
    frazil_node *node; /* what the path names, or NULL: absent */
    frazil_node *parent; /* directory of the last name, with FRAZIL_NAME */
    frazil_entry *entry; /* with FRAZIL_NAME and a node */
    const char *name; /* with FRAZIL_NAME; in text, not terminated */
    size_t length;
    frazil_last last;
    int late; /* with FRAZIL_LAST and a name: why it cannot be looked up, which comes after other errors */
    bool slash; /* slashes follow the last component */
    int directory; /* with FRAZIL_REAL: what `text` is relative to */
    char text[2 * PATH_MAX]; /* what is left to walk; the path with FRAZIL_REAL */
} frazil_walk;

/* The current directory, when it is in memfs. */
extern frazil_node *frazil_cwd;

/* Set when the program has made a real link that points into memfs. */
extern bool frazil_links_lead_in;

/* Whether a real path comes to memfs through such links; the kernel could not know. */
bool frazil_leads_in(int directory, const char *path);

bool frazil_starts_in_memfs_slow(int directory, const char *path);
bool frazil_goes_up_to_memfs(const char *path);

/* Whether the call is memfs's. Async-signal-safe, takes no lock. */
static inline bool frazil_is_memfs(int directory, const char *path)
{
    if (path == NULL)
        return false;
    if (path[0] == '/') {
        if ((path[1] == 'm' || path[1] == '/') && frazil_starts_in_memfs_slow(directory, path))
            return true;
    } else if (path[0] == 'm' && frazil_starts_in_memfs_slow(directory, path)) {
        return true;
    } else if (directory != AT_FDCWD) {
        if (frazil_fd_maybe(directory))
            return true;
    } else if (__atomic_load_n(&frazil_cwd, __ATOMIC_RELAXED) != NULL) {
        return true;
    } else if (path[0] == '.' && path[1] == '.' && path[2] == '/' && frazil_goes_up_to_memfs(path)) {
        return true;
    }
    return __builtin_expect(__atomic_load_n(&frazil_links_lead_in, __ATOMIC_RELAXED), 0) && frazil_leads_in(directory, path);
}

/* Walk; the lock is held. 0 (node may be NULL), FRAZIL_REAL, or a negative errno. */
int frazil_walk_path(frazil_walk *walk, int directory, const char *path, int flags);

/* The same, -ENOENT when absent. */
int frazil_walk_existing(frazil_walk *walk, int directory, const char *path, int flags);

#endif
