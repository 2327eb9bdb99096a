/* Which descriptors are memfs's.
 *
 * The table maps a descriptor's number to its node. A descriptor can be closed behind our back (by libc's own calls, by direct
 * system calls), so an entry is believed only while the kernel's inode under that number is the one that was entered. */
#ifndef FRAZIL_MEMFS_FD_H
#define FRAZIL_MEMFS_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "memfs/node.h"

#define FRAZIL_FD_CHUNK 1024u
#define FRAZIL_FD_CHUNKS 1024u

typedef struct frazil_descriptor {
    frazil_node *node; /* NULL: not ours; frazil_fd_internal: memfs's own */
    uint64_t kernel_number;
    uint64_t kernel_device;
} frazil_descriptor;

extern frazil_descriptor *frazil_fd_chunks[FRAZIL_FD_CHUNKS];

static inline frazil_descriptor *frazil_fd_slot(int fd)
{
    frazil_descriptor *chunk;

    if ((unsigned)fd >= FRAZIL_FD_CHUNK * FRAZIL_FD_CHUNKS)
        return NULL;
    chunk = __atomic_load_n(&frazil_fd_chunks[(unsigned)fd / FRAZIL_FD_CHUNK], __ATOMIC_ACQUIRE);
    return chunk != NULL ? chunk + (unsigned)fd % FRAZIL_FD_CHUNK : NULL;
}

/* Whether the descriptor may be memfs's. Takes no lock; true for entries that are no longer right. */
static inline bool frazil_fd_maybe(int fd)
{
    frazil_descriptor *slot = frazil_fd_slot(fd);

    return slot != NULL && __atomic_load_n(&slot->node, __ATOMIC_ACQUIRE) != NULL;
}

/* The lock of all of memfs. */
void frazil_lock(void);
void frazil_unlock(void);

/* Whether this is a child of vfork: it shares our memory, but not our descriptors, and must change nothing. */
bool frazil_is_guest(void);

/* Nobody is: memfs is this process's from now on. */
void frazil_no_guest(void);

/* Someone else may write to this descriptor's file from now on, without our knowing: a mapping, another program. */
void frazil_fd_keep_memfd(int fd);

/* All below: the lock is held. */

/* The node of an open descriptor, or NULL. `status`, if not NULL, receives the kernel's fstat. */
frazil_node *frazil_fd_node_stat(int fd, struct stat *status);
frazil_node *frazil_fd_node(int fd);

/* The descriptor now stands for `node`; not for guests. On failure (-EMFILE, -ENOMEM) it is closed. Returns fd. */
int frazil_fd_enter(int fd, frazil_node *node);

/* Forget the descriptor, which is about to be closed or was replaced; the node must be given to frazil_fd_release afterwards.
 */
frazil_node *frazil_fd_take(int fd);
void frazil_fd_release(frazil_node *node);

/* Move a new descriptor of memfs's own out of the program's sight; returns its number or a negative errno. */
int frazil_fd_keep(int fd);
bool frazil_fd_is_internal(int fd);
void frazil_fd_drop(int fd);

/* The first descriptor of memfs's own at or after `fd`, or -1. */
int frazil_fd_next_internal(int fd);

/* Call `visit` for each entry between the two numbers that is the program's. */
void frazil_fd_each(int first, int last, void (*visit)(int fd, frazil_node *node));

#endif
