/* memfs as a library for LD_PRELOAD, so that any program, such as python, can be run on it. FRAZIL_TEST_IMAGE names an image
 * for the lower layer, FRAZIL_TEST_LIMIT the bytes of the upper one. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfs/memfs.h"

static icecube image;

__attribute__((constructor)) static void mount_memfs(void)
{
    const char *path = getenv("FRAZIL_TEST_IMAGE"), *limit = getenv("FRAZIL_TEST_LIMIT");
    const icecube *lower = NULL;
    struct stat status;
    icecube_error error;
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd >= 0 && fstat(fd, &status) == 0) {
        void *base = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (base != MAP_FAILED && icecube_open(&image, base, (size_t)status.st_size, &error) == ICECUBE_FOUND)
            lower = &image;
        close(fd);
    }
    if (path != NULL && lower == NULL)
        abort();
    frazil_memfs_mount(lower, limit != NULL ? strtoull(limit, NULL, 10) : 0);
}
