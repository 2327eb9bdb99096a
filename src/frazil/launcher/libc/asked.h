/* Telling those who make a snapshot what the program looks at outside memfs (warm/asked.c). Launchers of executables that were
 * not built warm do not have that folder, and find at link time that nobody is to be told. */
#ifndef FRAZIL_ASKED_H
#define FRAZIL_ASKED_H

#include <stdbool.h>
#include <stddef.h>

#include "warm/warm.h"

#pragma weak frazil_warm
#pragma weak frazil_warm_saw
#pragma weak frazil_warm_saw_directory
#pragma weak frazil_warm_saw_umask

/* Whether functions of libc that look at files by themselves are to do it with ours. */
static inline bool frazil_is_watched(void)
{
    return &frazil_warm != NULL && __builtin_expect(frazil_warm == FRAZIL_WARM_MAKING, 0);
}

/* A path outside memfs is about to be looked at; `detail`: flags of open and stat, mode of access. */
static inline void frazil_saw(frazil_look look, int directory, const char *path, int detail)
{
    if (frazil_is_watched() && path != NULL)
        frazil_warm_saw(look, directory, path, detail);
}

/* The current directory, outside memfs, is asked for. */
static inline void frazil_saw_directory(void)
{
    if (frazil_is_watched())
        frazil_warm_saw_directory();
}

/* The umask is asked for, which is done by setting it. */
static inline void frazil_saw_umask(void)
{
    if (frazil_is_watched())
        frazil_warm_saw_umask();
}

#endif
