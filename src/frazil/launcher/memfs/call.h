/* What the system calls do for memfs paths: the same results and errors that tmpfs gives.
 *
 * Each takes the lock itself and returns the call's result or a negative errno. When the path leaves memfs, the kernel is
 * asked. */
#ifndef FRAZIL_MEMFS_CALL_H
#define FRAZIL_MEMFS_CALL_H

#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "memfs/node.h"

int frazil_call_open(int directory, const char *path, int flags, mode_t mode);

/* `flags`: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. */
int frazil_call_stat(int directory, const char *path, struct stat *status, int flags);

/* fstat of a descriptor for which frazil_fd_maybe holds. */
int frazil_call_fstat(int fd, struct stat *status);

int frazil_call_access(int directory, const char *path, int mode, int flags);
long frazil_call_readlink(int directory, const char *path, char *target, size_t size);
int frazil_call_chdir(const char *path);
int frazil_call_fchdir(int fd);

/* The path of the current directory; 0 when it is not in memfs, else the length with the zero. */
long frazil_call_getcwd(char *path, size_t size);

int frazil_call_mkdir(int directory, const char *path, mode_t mode);
int frazil_call_mknod(int directory, const char *path, mode_t mode, dev_t device);
int frazil_call_unlink(int directory, const char *path, int flags);
int frazil_call_symlink(const char *target, int directory, const char *path);
int frazil_call_link(int from, const char *old, int to, const char *new, int flags);
int frazil_call_rename(int from, const char *old, int to, const char *new, unsigned flags);
int frazil_call_chmod(int directory, const char *path, mode_t mode, int flags);
int frazil_call_chown(int directory, const char *path, uid_t user, gid_t group, int flags);
int frazil_call_utimens(int directory, const char *path, const struct timespec times[2], int flags);
int frazil_call_truncate(const char *path, off_t size);

/* On descriptors for which frazil_fd_maybe holds. */
int frazil_call_fchmod(int fd, mode_t mode);
int frazil_call_fchown(int fd, uid_t user, gid_t group);
int frazil_call_futimens(int fd, const struct timespec times[2]);

/* Metadata of a node; `known` is the kernel's fstat of one of its descriptors, or NULL. */
void frazil_stat_node(frazil_node *node, const struct stat *known, struct stat *status);

/* The bits that the process takes from new files. `set_umask` as umask(2). */
mode_t frazil_umask(void);
void frazil_umask_set(mode_t mask);

#endif
