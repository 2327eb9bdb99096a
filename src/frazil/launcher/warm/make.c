/* Making a snapshot: the process begins again in the window, imports, and is written down (docs/spec/snapshot.md, "Dumps"). */
#include "libc/real.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memfs/fd.h"
#include "memfs/kernel.h"
#include "memfs/memfs.h"
#include "platform/platform.h"
#include "warm/dump.h"
#include "warm/record.h"
#include "warm/restore.h"
#include "warm/warm.h"
#include "warm/window.h"

static char *directory;
static char **modules;

static int open_notes(const char *in)
{
    char path[4096];
    long file, high;

    snprintf(path, sizeof path, "%s/notes", in);
    file = frazil_kernel(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return -1;
    high = frazil_kernel(SYS_fcntl, file, F_DUPFD_CLOEXEC, 900);
    frazil_kernel(SYS_close, file);
    return (int)high;
}

bool frazil_warm_begin(int *argc, char ***argv)
{
    static char *replaced[] = {(char *)FRAZIL_WARM_MAKER, NULL};

    if (*argc < 2 || strcmp((*argv)[0], FRAZIL_WARM_MAKER) != 0 || frazil_platform_has_more_rights())
        return false;
    if (!frazil_window_entered()) {
        fprintf(stderr, "frazil: warm: no snapshot can be made here: %s\n", frazil_window_enter(*argc, *argv));
        _exit(1);
    }
    frazil_dump_begin();
    frazil_record_begin(open_notes((*argv)[1]));
    frazil_warm = FRAZIL_WARM_MAKING;
    frazil_no_guest();
    frazil_memfs_prepare();
    directory = (*argv)[1];
    modules = calloc((size_t)*argc, sizeof *modules);
    for (int i = 2; i < *argc; i++)
        modules[i - 2] = strdup((*argv)[i]);
    *argc = 1;
    *argv = replaced;
    return true;
}

char **frazil_warm_modules(void)
{
    return modules;
}

int frazil_warm_dump(void)
{
    FRAZIL_REAL_OF(setlocale)(LC_ALL, "C"); /* which is not what an import has set */
    frazil_memfs_trim();
    malloc_trim(0); /* what is free then reads as zeros, which no snapshot holds */
    frazil_record_prepare();
    frazil_warm = FRAZIL_WARM_DUMPING;
    if (!frazil_record_keep())
        return E2BIG;
    return frazil_dump_write(directory, (uintptr_t)frazil_warm_restored);
}
