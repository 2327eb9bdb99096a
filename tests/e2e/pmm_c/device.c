/* A C program that links the launcher: its modules stand in a file that is mapped, as flash that can be addressed is. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frazil.h"

struct flash {
    const void *data;
    size_t size;
};

static int load(void *context, const char *name, const void **data, size_t *size)
{
    const struct flash *flash = context;

    if (strcmp(name, "telemetry") != 0)
        return FRAZIL_NOT_HERE;
    *data = flash->data;
    *size = flash->size;
    return FRAZIL_FOUND;
}

int main(int argc, char **argv)
{
    static struct flash flash;
    struct stat status;
    int handle = open(argv[1], O_RDONLY | O_CLOEXEC);

    if (handle < 0 || fstat(handle, &status) != 0)
        return 3;
    flash.size = (size_t)status.st_size;
    flash.data = mmap(NULL, flash.size, PROT_READ, MAP_PRIVATE, handle, 0);
    close(handle);
    if (frazil_register_storage(load, &flash) != 0)
        return 4;
    return frazil_main(argc, argv);
}
