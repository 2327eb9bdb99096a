/* Unit tests of native/elf.c, native/cache.c and native/sha256.c, for the sanitizers. `native_check COMMAND ARGUMENT...` */
#define _GNU_SOURCE
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native/cache.h"
#include "native/elf.h"
#include "native/sha256.h"

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;

    if (!file || fseek(file, 0, SEEK_END) != 0)
        abort();
    *size = (size_t)ftell(file);
    rewind(file);
    data = malloc(*size ? *size : 1);
    if (!data || fread(data, 1, *size, file) != *size)
        abort();
    fclose(file);
    return data;
}

/* Looks at all that can be looked at; gives the number of bytes and names seen, so that nothing is optimised away. */
static size_t look(const uint8_t *data, size_t size)
{
    frazil_elf elf;
    frazil_elf_segment segment;
    size_t offset, length, seen = 0, at = 0;
    const char *needed;

    if (frazil_elf_open(&elf, data, size))
        return 0;
    while ((needed = frazil_elf_needed(&elf, &at)))
        seen += strlen(needed) + 1;
    for (at = 0; frazil_elf_extent(&elf, &at, &offset, &length);)
        for (size_t i = 0; i < length; i += 64)
            seen += data[offset + i];
    for (at = 0; frazil_elf_link_extent(&elf, &at, &offset, &length);)
        for (size_t i = 0; i < length; i += 64)
            seen += data[offset + i];
    for (at = 0; frazil_elf_constant_segment(&elf, &at, &segment);)
        for (size_t i = 0; i < segment.size; i += 64)
            seen += data[segment.offset + i];
    seen += frazil_elf_is_idle_until_relocated(&elf);
    seen += elf.soname ? strlen(elf.soname) : 0;
    seen += elf.rpath ? strlen(elf.rpath) : 0;
    seen += elf.runpath ? strlen(elf.runpath) : 0;
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    seen += frazil_elf_rename(&elf, copy, "libother.so");
    free(copy);
    return seen + 1;
}

static void show(const char *path)
{
    frazil_elf elf;
    size_t size, at = 0;
    uint8_t *data = read_file(path, &size);
    const char *needed, *problem = frazil_elf_open(&elf, data, size);

    if (problem) {
        printf("problem %s\n", problem);
    } else {
        printf("soname %s\nrpath %s\nrunpath %s\n", elf.soname ? elf.soname : "-", elf.rpath ? elf.rpath : "-",
            elf.runpath ? elf.runpath : "-");
        while ((needed = frazil_elf_needed(&elf, &at)))
            printf("needed %s\n", needed);
    }
    free(data);
}

/* Every length, and every byte of headers and dynamic section with several values. Each copy has its exact size on the heap. */
static void mutilate(const char *path)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    size_t size, good = 0, tried = 0;
    uint8_t *data = read_file(path, &size), *copy;
    frazil_elf elf;

    if (frazil_elf_open(&elf, data, size))
        abort();
    for (size_t length = 0; length < size; length++, tried++) {
        copy = malloc(length ? length : 1);
        memcpy(copy, data, length);
        good += look(copy, length) != 0;
        free(copy);
    }
    size_t headers_end = elf.headers_offset + elf.headers_count * sizeof(Elf64_Phdr);
    copy = malloc(size);
    memcpy(copy, data, size);
    for (size_t i = 0; i < size; i++) {
        if (i >= headers_end && (i < elf.dynamic_offset || i >= elf.dynamic_offset + elf.dynamic_room))
            continue;
        for (size_t v = 0; v < sizeof values; v++, tried++) {
            copy[i] = values[v];
            good += look(copy, size) != 0;
        }
        copy[i] = data[i];
    }
    free(copy);
    free(data);
    printf("%s\n", tried > 1000 && good < tried ? "survived" : "nothing was tried");
}

static void rename_library(const char *from, const char *soname, const char *to)
{
    frazil_elf elf;
    size_t size;
    uint8_t *data = read_file(from, &size), *copy = read_file(from, &size);
    FILE *file;

    if (frazil_elf_open(&elf, data, size))
        abort();
    printf("%s\n", frazil_elf_rename(&elf, copy, soname) ? "renamed" : "no room");
    file = fopen(to, "wb");
    if (!file || fwrite(copy, 1, size, file) != size || fclose(file) != 0)
        abort();
    free(data);
    free(copy);
}

static void write_group(const char *to, const char *const *needed, size_t count)
{
    size_t size = frazil_elf_write_group(NULL, 0, needed, count, "frazil_native_relocated");
    void *data = malloc(size);
    FILE *file = fopen(to, "wb");

    if (!file || frazil_elf_write_group(data, size - 1, needed, count, "frazil_native_relocated") != size
        || frazil_elf_write_group(data, size, needed, count, "frazil_native_relocated") != size
        || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
    free(data);
}

/* In parts of that many bytes. */
static void sum(const char *path, size_t part)
{
    size_t size;
    uint8_t *data = read_file(path, &size), digest[32];
    frazil_sha256 state;

    frazil_sha256_start(&state);
    for (size_t at = 0; at < size; at += part)
        frazil_sha256_add(&state, data + at, size - at < part ? size - at : part);
    frazil_sha256_finish(&state, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        printf("%02x", digest[i]);
    printf("\n");
    free(data);
}

static void cache(const char *name, const char *from)
{
    size_t size;
    uint8_t *data = read_file(from, &size);
    char path[PATH_MAX];

    printf("%s\n", frazil_native_cache(name, data, size, path) ? path : "none");
    free(data);
}

int main(int argc, char **argv)
{
    const char *command = argc > 2 ? argv[1] : "";

    if (strcmp(command, "show") == 0)
        show(argv[2]);
    else if (strcmp(command, "mutilate") == 0)
        mutilate(argv[2]);
    else if (strcmp(command, "rename") == 0 && argc == 5)
        rename_library(argv[2], argv[3], argv[4]);
    else if (strcmp(command, "group") == 0)
        write_group(argv[2], (const char *const *)argv + 3, (size_t)argc - 3);
    else if (strcmp(command, "sum") == 0 && argc == 4)
        sum(argv[2], (size_t)atol(argv[3]));
    else if (strcmp(command, "cache") == 0 && argc == 4)
        cache(argv[2], argv[3]);
    else
        return 2;
    return 0;
}
