/* Nodes of memfs: files, directories, symbolic links, named pipes and the names of sockets, and the tree that they form.
 *
 * A node that came from the image has a copy of its metadata here, made when a path first reached it; its content and its
 * children stay in the image until they change. All functions expect frazil_memfs_lock to be held. Functions that can fail
 * return 0 or a negative errno. */
#ifndef FRAZIL_MEMFS_NODE_H
#define FRAZIL_MEMFS_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "image/icecube.h"

typedef struct frazil_node frazil_node;
typedef struct frazil_entry frazil_entry;
typedef struct frazil_xattr frazil_xattr; /* memfs/xattr.h */

/* A name in a directory. */
struct frazil_entry {
    frazil_entry *next_in_bucket;
    frazil_entry *previous, *next; /* in the order in which they were made */
    frazil_node *node;
    uint32_t hash;
    uint16_t length;
    char name[]; /* terminated */
};

typedef struct frazil_directory {
    frazil_node *parent; /* held; the root's is itself, not held */
    frazil_entry *first, *last;
    frazil_entry **buckets;
    uint32_t bucket_count; /* a power of two, or 0 */
    uint32_t entry_count;
    uint32_t pending; /* children in the image that have no entry yet */
    uint32_t subdirectories; /* UINT32_MAX: not counted yet (image) */
    bool complete; /* all children in the image have an entry, or there are none */
    bool removed;
    bool changed; /* names were made or taken away */
} frazil_directory;

typedef struct frazil_file {
    int backing; /* memfd with the content, or -1 */
    uint32_t opens; /* descriptors in the table */
    bool verified; /* the checksum of the content in the image */
    bool stay; /* someone else may write: a mapping, a child process */
    bool inherited; /* the memfd is shared with a process on the other side of a fork */
    bool nameless; /* O_TMPFILE: linkat may give it a name */
    bool unlinkable; /* O_TMPFILE | O_EXCL: or may not */
    bool is_idle, is_backed; /* which lists it is in */
    char *heap; /* content of a file that has no memfd and is not in the image; `size` bytes */
    uint64_t size; /* while there is no memfd */
    struct timespec base_ctime; /* the memfd's when it was filled: no news */
    uint64_t kernel_number, kernel_device; /* inode of the memfd */
    int handle_type; /* of the memfd's file handle */
    uint8_t handle_size; /* 0: not asked for yet */
    unsigned char handle[23];
    frazil_node *idle_previous, *idle_next;
    frazil_node *backed_previous, *backed_next;
} frazil_file;

typedef struct frazil_link {
    const char *target; /* in the image, or allocated; not terminated */
    uint32_t length;
    bool allocated;
} frazil_link;

typedef struct frazil_pipe {
    int kept; /* memfs/pipe.c */
    frazil_node *next;
} frazil_pipe;

struct frazil_node {
    uint64_t number; /* st_ino */
    uint32_t image; /* record that still holds the content (file, link) or children (directory), or ICECUBE_NO_NODE */
    uint32_t mode;
    uint32_t uid, gid; /* or FRAZIL_OWN: frazil_node_user and frazil_node_group know */
    uint32_t links; /* entries that name it (files, links); 1 or 0 for a directory */
    uint32_t holds; /* everything else that needs it: descriptors, children, the current directory */
    struct timespec atime, mtime, ctime; /* atime and mtime of a file with a memfd are the memfd's */
    frazil_xattr *attributes;
    union {
        frazil_directory directory;
        frazil_file file;
        frazil_link link;
        frazil_pipe pipe;
    };
};

/* The user, or group, that the process was started with. A warm start is another's than the one that made its nodes. */
#define FRAZIL_OWN UINT32_MAX

uint32_t frazil_node_user(const frazil_node *node);
uint32_t frazil_node_group(const frazil_node *node);

/* Ask who the process is. */
void frazil_tree_know_user(void);

extern frazil_node *frazil_root; /* NULL before the mount */
extern uint64_t frazil_node_bytes; /* that nodes and names of the upper layer take */

/* Make the root. */
int frazil_tree_mount(const icecube *image);

const icecube *frazil_tree_image(void);

/* Say that something of the image is no longer as it was: a directory's names, a file's content. */
void frazil_tree_changed(frazil_node *directory);

bool frazil_tree_is_changed(void);

/* Whether what the image has at that path (below the mount, not terminated) is there, with the same names or content. */
bool frazil_tree_is_unchanged(const char *path, size_t length);

/* A new node without a name; NULL when memory is short. Takes a copy of a link's target. */
frazil_node *frazil_node_new(uint32_t mode, const char *target, size_t length);

void frazil_node_hold(frazil_node *node);
void frazil_node_release(frazil_node *node);

/* Free the node if nothing needs it. */
void frazil_node_settle(frazil_node *node);

/* The entry, or NULL with *error 0 (absent) or a negative errno. */
frazil_entry *frazil_lookup(frazil_node *directory, const char *name, size_t length, int *error);

/* Make an entry for each child in the image. */
int frazil_complete(frazil_node *directory);

/* Name `node` in `directory`; the name is free. Counts the link and sets the directory's times. */
int frazil_attach(frazil_node *directory, const char *name, size_t length, frazil_node *node);

/* Take a name away. The node is settled. */
void frazil_detach(frazil_node *directory, frazil_entry *entry);

/* Move what the first entry names to a name in another directory; `there`, which that name means so far, is replaced. */
int frazil_move(frazil_node *from, frazil_entry *entry, frazil_node *to, frazil_entry *there, const char *name, size_t length);

/* Exchange what two names mean. */
void frazil_swap(frazil_node *one, frazil_entry *first, frazil_node *other, frazil_entry *second);

bool frazil_is_below(const frazil_node *node, const frazil_node *ancestor);

/* st_nlink */
uint32_t frazil_node_links(frazil_node *node);

/* Names in a directory. */
uint32_t frazil_node_entries(const frazil_node *node);

/* Now, as the kernel stamps files. */
struct timespec frazil_now(void);

/* Write the path of a directory ("/memfs:/a"); returns its length, or -ERANGE, or -ENOENT when it was removed. */
long frazil_directory_path(const frazil_node *directory, char *path, size_t size);

/* Whether the caller may do what `mask` (R_OK, W_OK, X_OK) asks; `real`: judged by the real, not the effective, user. */
int frazil_permitted(const frazil_node *node, int mask, bool real);

/* Whether the caller owns the node or is root. */
bool frazil_is_owner(const frazil_node *node);
bool frazil_is_superuser(void);

#endif
