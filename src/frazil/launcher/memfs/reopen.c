/* Ways to open a memfd again (memfs/reopen.h): by file handle, or through /proc. */
#include "memfs/reopen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "memfs/fd.h"
#include "memfs/kernel.h"

static int proc_fds = -1; /* /proc/self/fd; one of memfs's own descriptors */
static bool handles_refused; /* by the kernel: they are for root (CAP_DAC_READ_SEARCH) */

/* "/proc/self/fd/N"; *number is where N starts. */
static void fd_path(char path[32], const char **number, int fd)
{
    static const char prefix[] = "/proc/self/fd/";
    char digits[12], *at = path + sizeof prefix - 1;
    int count = 0;

    memcpy(path, prefix, sizeof prefix);
    *number = at;
    do
        digits[count++] = (char)('0' + fd % 10);
    while ((fd /= 10) != 0);
    while (count > 0)
        *at++ = digits[--count];
    *at = 0;
}

/* A new description of the memfd. The directory of descriptors is kept open, for it is found slowly; not for a child of vfork,
 * whose descriptors are others. */
int frazil_reopen_fd(int fd, int flags, bool guest)
{
    char path[32];
    const char *number;

    fd_path(path, &number, fd);
    if (guest)
        return (int)frazil_kernel(SYS_openat, AT_FDCWD, path, flags, 0);
    if (proc_fds < 0) {
        long opened = frazil_kernel(SYS_openat, AT_FDCWD, "/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        if (opened < 0 || (proc_fds = frazil_fd_keep((int)opened)) < 0)
            return (int)opened < 0 ? (int)opened : proc_fds;
    }
    return (int)frazil_kernel(SYS_openat, proc_fds, number, flags, 0);
}

void frazil_reopen_forget(void)
{
    if (proc_fds >= 0)
        frazil_fd_drop(proc_fds);
    proc_fds = -1;
}

typedef struct frazil_handle {
    struct file_handle head;
    unsigned char bytes[sizeof(((frazil_file *)0)->handle)];
} frazil_handle;

/* The same by file handle, for those who may: faster, and works without /proc. */
static int reopen_by_handle(frazil_node *node, int flags)
{
    frazil_handle handle = {.head = {.handle_bytes = sizeof handle.bytes}};
    frazil_file *file = &node->file;
    int mount = 0;

    if (handles_refused || (flags & O_PATH))
        return -EPERM;
    if (file->handle_size == 0) {
        long error = frazil_kernel(SYS_name_to_handle_at, file->backing, "", &handle, &mount, AT_EMPTY_PATH);
        if (error != 0) {
            handles_refused = true;
            return (int)error;
        }
        file->handle_size = (uint8_t)handle.head.handle_bytes;
        file->handle_type = handle.head.handle_type;
        memcpy(file->handle, handle.bytes, file->handle_size);
    }
    handle.head.handle_bytes = file->handle_size;
    handle.head.handle_type = file->handle_type;
    memcpy(handle.bytes, file->handle, file->handle_size);
    long fd = frazil_kernel(SYS_open_by_handle_at, file->backing, &handle, flags);
    if (fd == -EPERM || fd == -ENOSYS || fd == -EOPNOTSUPP || fd == -ESTALE)
        handles_refused = true;
    return (int)fd;
}

int frazil_reopen(frazil_node *node, int flags, bool guest)
{
    int fd = reopen_by_handle(node, flags);

    if (fd >= 0 || fd == -EMFILE || fd == -ENFILE)
        return fd;
    return frazil_reopen_fd(node->file.backing, flags, guest);
}

bool frazil_reopen_yield(int fd)
{
    if (fd != proc_fds)
        return false;
    frazil_reopen_forget();
    return true;
}
