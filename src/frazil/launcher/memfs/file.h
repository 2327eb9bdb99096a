/* Contents of regular files: memfds, made when a file is first opened.
 *
 * Theory. A file's content is in one of three places: in the image, in a memfd (`backing`, one of memfs's own descriptors), or,
 * for files at rest when there are many, on the heap. Opening a file reopens the memfd through /proc/self/fd, which makes an
 * independent open file description of one kernel inode. While a memfd exists, size, atime and mtime are the kernel's.
 * All functions expect the lock to be held; they return 0 or a descriptor, or a negative errno. */
#ifndef FRAZIL_MEMFS_FILE_H
#define FRAZIL_MEMFS_FILE_H

#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "memfs/memfs.h"
#include "memfs/node.h"

#define FRAZIL_DEVICE (0xffull | 0xfff00ull << 12) /* st_dev: major 0 and the last minor, which no mount gets */

/* A new descriptor for a regular file; `flags` as for open(2), of which creation and links have been dealt with. Copies up when
 * they ask to write. Not entered in the table. `guest`: frazil_is_guest. */
int frazil_file_open(frazil_node *node, int flags, bool guest);

/* Let the content live in memory from now on (copy-up). */
int frazil_file_own(frazil_node *node);

int frazil_file_truncate(frazil_node *node, int64_t size);

/* As utimensat(2), with UTIME_NOW and UTIME_OMIT resolved by the kernel. */
int frazil_file_set_times(frazil_node *node, const struct timespec times[2]);

/* The node's mode is another one. */
void frazil_file_mode_changed(frazil_node *node);

/* Fill size, blocks and times, and take away from the mode what writes took. `known`: an fstat of a descriptor of the file, or
 * NULL. */
void frazil_file_stat(const frazil_node *node, const struct stat *known, struct stat *status);

int frazil_file_content(frazil_node *node, frazil_content *content);

/* The kernel's inode that all descriptors of the file have; false: ask each. */
bool frazil_file_identity(const frazil_node *node, uint64_t *number, uint64_t *device);

/* A descriptor was entered in or left the table. */
void frazil_file_opened(frazil_node *node);
void frazil_file_closed(frazil_node *node);

/* The node goes away. */
void frazil_file_forget(frazil_node *node);

/* After fork: memfds are shared between the two processes until a file is next opened, or first written. */
void frazil_file_forked(bool child);

/* Move one of memfs's own descriptors to another number. */
int frazil_file_yield(int fd);

/* Close all of memfs's own descriptors that can be done without. */
void frazil_file_trim(void);

/* Whether files keep the times that they had when their memfd was made: the kernel's are no times of a process that makes up
 * its clock. */
void frazil_file_keep_times(bool keeps);

void frazil_file_set_limit(uint64_t limit);
uint64_t frazil_file_limit(void);
/* Look again at the machine's memory when it is next asked for, unless somebody has set it. */
void frazil_file_forget_limit(void);

/* Bytes of the upper layer that are used, counted afresh. */
uint64_t frazil_file_used(void);

/* Whether that much more surely fits; takes no lock. When not, ask frazil_file_room. */
bool frazil_file_has_room(uint64_t wanted);

/* How many of `wanted` more bytes fit; 0 when none. */
uint64_t frazil_file_room(uint64_t wanted);

/* The same for bytes to be written at `offset` of a file; what replaces pages that are there takes nothing. */
uint64_t frazil_file_room_at(const frazil_node *node, int64_t offset, uint64_t wanted);

#endif
