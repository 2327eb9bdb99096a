/* What a loaded object is known by: its name and its build ID. */
#ifndef FRAZIL_WARM_BUILD_ID_H
#define FRAZIL_WARM_BUILD_ID_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FRAZIL_BUILD_ID_SIZE 32

/* The last component of its path. */
static inline const char *frazil_object_name(const struct dl_phdr_info *info)
{
    const char *slash = strrchr(info->dlpi_name, '/');

    return slash ? slash + 1 : info->dlpi_name;
}

/* Zero behind it; false when the object has none. */
static inline bool frazil_build_id(const struct dl_phdr_info *info, uint8_t id[FRAZIL_BUILD_ID_SIZE])
{
    memset(id, 0, FRAZIL_BUILD_ID_SIZE);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *one = &info->dlpi_phdr[i];
        const char *at = (const char *)(info->dlpi_addr + one->p_vaddr), *end = at + one->p_memsz;
        while (one->p_type == PT_NOTE && at + sizeof(ElfW(Nhdr)) < end) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
            const char *name = at + sizeof *note, *content = name + ((note->n_namesz + 3) & ~3u);
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
                memcpy(id, content, note->n_descsz < FRAZIL_BUILD_ID_SIZE ? note->n_descsz : FRAZIL_BUILD_ID_SIZE);
                return true;
            }
            at = content + ((note->n_descsz + 3) & ~3u);
        }
    }
    return false;
}

#endif
