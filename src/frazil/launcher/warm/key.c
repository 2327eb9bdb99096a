/* Finding a snapshot, and checking that it fits (warm/key.h). Reads only; a damaged snapshot is found out, not followed. */
#define _GNU_SOURCE
#include "warm/key.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/crc32.h"
#include "image/icecube.h"
#include "image/icecube_format.h"
#include "image/processor.h"
#include "memfs/kernel.h"
#include "platform/platform.h"
#include "warm/build_id.h"
#include "warm/condition.h"

#define PAGE 4096ul

/* -- the snapshot ----------------------------------------------------------------------------------------------------- */

bool frazil_snapshot_find(frazil_snapshot *snapshot)
{
    const Elf64_Phdr *header = (const Elf64_Phdr *)getauxval(AT_PHDR);
    unsigned long count = getauxval(AT_PHNUM);

    for (unsigned long i = 0; header && i < count; i++)
        if (header[i].p_type == PT_LOAD && header[i].p_vaddr == FRAZIL_SNAPSHOT_ADDRESS) {
            snapshot->data = (const uint8_t *)FRAZIL_SNAPSHOT_ADDRESS;
            snapshot->size = header[i].p_filesz;
            return true;
        }
    return false;
}

/* As for the image: a system call that copies from there fails where a load would end the program. */
static bool can_be_read(uintptr_t address)
{
    return frazil_kernel(SYS_rt_sigprocmask, -1, address & ~(uintptr_t)7, 0, 8) != -EFAULT;
}

static bool is_inside(const snapshot_header *header, snapshot_table table, size_t each)
{
    uint64_t room = header->size - header->tables;

    return table.offset % 8 == 0 && table.offset <= room && table.count <= (room - table.offset) / each;
}

static bool tables_hold(const snapshot_header *header)
{
    return is_inside(header, header->pieces, sizeof(snapshot_piece))
        && is_inside(header, header->objects, sizeof(snapshot_object)) && header->objects.count <= FRAZIL_OBJECTS_AT_MOST
        && is_inside(header, header->own, sizeof(snapshot_own)) && is_inside(header, header->mangled, sizeof(snapshot_mangled))
        && is_inside(header, header->conditions, sizeof(snapshot_condition)) && is_inside(header, header->text, 1)
        && header->text.count > 0 && is_inside(header, header->report, 1);
}

const char *frazil_snapshot_open(frazil_snapshot *snapshot)
{
    snapshot_header copy;
    uint32_t crc, crc_now;

    if (snapshot->size < PAGE || !can_be_read(FRAZIL_SNAPSHOT_ADDRESS + snapshot->size - 1))
        return "the snapshot is truncated";
    memcpy(&copy, snapshot->data, sizeof copy);
    if (memcmp(copy.magic, FRAZIL_SNAPSHOT_MAGIC, sizeof copy.magic) != 0 || copy.version != FRAZIL_SNAPSHOT_VERSION
        || copy.size != snapshot->size || copy.tables < PAGE || copy.tables > copy.size)
        return "the snapshot is damaged: its header does not hold";
    crc = copy.crc;
    copy.crc = 0;
    snapshot->header = (const snapshot_header *)snapshot->data;
    snapshot->tables = snapshot->data + copy.tables;
    crc_now = frazil_crc32(frazil_crc32(0, &copy, sizeof copy), snapshot->data + sizeof copy, PAGE - sizeof copy);
    if (frazil_crc32(crc_now, snapshot->tables, copy.size - copy.tables) != crc || !tables_hold(&copy)
        || snapshot->tables[copy.text.offset + copy.text.count - 1] != '\0')
        return "the snapshot is damaged: its tables do not hold";
    return NULL;
}

/* -- the key ---------------------------------------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t hash, uint64_t value)
{
    hash ^= value;
    hash *= 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

uintptr_t frazil_key_core(void)
{
    return __x86_get_cpuid_feature_leaf ? (uintptr_t)&__x86_get_cpuid_feature_leaf(0)->found[FRAZIL_EBX] & ~(uintptr_t)7 : 0;
}

uint64_t frazil_key_processor(void)
{
    uint64_t hash = 1;
    unsigned a = 0, b = 0, c = 0, d = 0;

    for (unsigned leaf = 0; __x86_get_cpuid_feature_leaf && leaf < FRAZIL_LEAVES; leaf++) {
        const frazil_leaf *one = __x86_get_cpuid_feature_leaf(leaf);
        for (int i = 0; i < 4; i++)
            if (leaf != 0 || i != FRAZIL_EBX) /* the first leaf's EBX names the core */
                hash = mixed(hash, (uint64_t)one->found[i] << 32 | one->usable[i]);
    }
    if (!__x86_get_cpuid_feature_leaf && __get_cpuid(1, &a, &b, &c, &d)) {
        hash = mixed(mixed(hash, (uint64_t)a << 32 | c), d);
        if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
            hash = mixed(mixed(hash, (uint64_t)b << 32 | c), d);
    }
    return hash;
}

typedef struct look {
    const frazil_snapshot *snapshot;
    frazil_bases *bases;
    const char *other; /* an object that is another, or not in the snapshot */
} look;

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
    look *in = context;
    const snapshot_object *objects = frazil_snapshot_table(in->snapshot, in->snapshot->header->objects);
    const char *name = frazil_object_name(info);
    uint8_t build[FRAZIL_BUILD_ID_SIZE];

    (void)size;
    if (!*info->dlpi_name || info->dlpi_addr == getauxval(AT_SYSINFO_EHDR)) /* the program, and the kernel's */
        return 0;
    in->other = info->dlpi_name;
    if (!frazil_build_id(info, build))
        return 1;
    for (uint32_t i = 0; i < in->snapshot->header->objects.count; i++)
        if (objects[i].kind == OBJECT_LIBRARY && strcmp(frazil_snapshot_text(in->snapshot, objects[i].name), name) == 0
            && memcmp(objects[i].build, build, sizeof build) == 0) {
            in->bases->object[i] = info->dlpi_addr;
            in->other = NULL;
            return 0;
        }
    return 1;
}

static bool file_is_same(const frazil_snapshot *snapshot, const snapshot_object *object)
{
    const char *path = frazil_snapshot_text(snapshot, object->name);
    struct stat status;

    return frazil_kernel(SYS_newfstatat, AT_FDCWD, path, &status, 0) == 0 && (uint64_t)status.st_size == object->size
        && (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec == object->modified;
}

/* Where this process has the objects of the snapshot; NULL, or the name of one that is another or not there. */
static const char *find_objects(const frazil_snapshot *snapshot, frazil_bases *bases)
{
    const snapshot_object *objects = frazil_snapshot_table(snapshot, snapshot->header->objects);
    look in = {snapshot, bases, NULL};

    dl_iterate_phdr(look_at, &in);
    for (uint32_t i = 0; i < snapshot->header->objects.count && !in.other; i++)
        if (objects[i].kind == OBJECT_LIBRARY ? !bases->object[i] : !file_is_same(snapshot, &objects[i]))
            in.other = frazil_snapshot_text(snapshot, objects[i].name);
    return in.other;
}

const char *frazil_key_variable(const char *name)
{
    size_t length = strlen(name);

    for (char **at = environ; at && *at; at++)
        if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
            return *at + length + 1;
    return NULL;
}

/* Variables that the dynamic linker and malloc looked at before anything of the program ran. */
static const char *find_variable_of_libc(void)
{
    static const char *const starts[] = {"LD_", "GLIBC_TUNABLES=", "MALLOC_"};

    for (char **at = environ; at && *at; at++)
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
            if (strncmp(*at, starts[i], strlen(starts[i])) == 0)
                return *at;
    return NULL;
}

static bool condition_holds(const frazil_snapshot *snapshot, const snapshot_condition *one)
{
    const char *name = frazil_snapshot_text(snapshot, one->name), *expected = frazil_snapshot_text(snapshot, one->value);
    frazil_answer answer;
    const char *value;

    if (one->kind == CONDITION_ABSENT)
        return !frazil_key_variable(name);
    if (one->kind == CONDITION_VARIABLE) {
        value = frazil_key_variable(name);
        return value && strcmp(value, expected) == 0;
    }
    return frazil_ask(one->kind, name, one->argument, &answer) && answer.number[0] == one->number[0]
        && answer.number[1] == one->number[1] && strcmp(answer.text, expected) == 0;
}

/* Encodings are UTF-8 in the snapshot; in the C locale they are by Python's UTF-8 mode. Whether there is a locale of that name
 * only libc can say, and does later. */
static bool locale_is_utf8(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *name = NULL, *encoding;

    for (size_t i = 0; i < 3 && !(name && *name); i++)
        name = frazil_key_variable(variables[i]);
    if (!name || !*name || strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0)
        return true;
    encoding = strchr(name, '.') ? strchr(name, '.') + 1 : name;
    return (strncasecmp(encoding, "UTF-8", 5) == 0 && (encoding[5] == '\0' || encoding[5] == '@'))
        || (strncasecmp(encoding, "UTF8", 4) == 0 && (encoding[4] == '\0' || encoding[4] == '@'));
}

static const char *check_streams(void)
{
    struct stat status;

    for (int number = 0; number <= 2; number++)
        if (frazil_kernel(SYS_fstat, number, &status) < 0 || (S_ISDIR(status.st_mode) && number == 0))
            return "a standard stream is closed, or a directory";
    return NULL;
}

bool frazil_key_image(uint8_t digest[32])
{
    const void *at;
    size_t size;
    uint64_t offset;

    if (!frazil_platform_image(&at, &size, &offset) || size < sizeof(icecube_header_record))
        return false;
    memcpy(digest, ((const icecube_header_record *)at)->digest, 32);
    return true;
}

/* A restored process looks at the image's header and settings no more. */
static const char *check_image(const snapshot_header *header)
{
    icecube image;
    icecube_error error;
    const void *at;
    size_t size;
    uint64_t offset;

    if (!frazil_platform_image(&at, &size, &offset) || icecube_open(&image, at, size, &error) != ICECUBE_FOUND)
        return "the image is damaged";
    if (memcmp(image.header.digest, header->image, sizeof header->image) != 0)
        return "it was made with another image";
    return NULL;
}

const char *frazil_key_elsewhere(const frazil_snapshot *snapshot, frazil_bases *bases, const char **detail)
{
    const char *why = check_image(snapshot->header);

    *detail = why ? "" : find_objects(snapshot, bases);
    if (why)
        return why;
    if (*detail)
        return "it was made with another";
    *detail = "";
    return frazil_key_processor() == snapshot->header->processor ? NULL : "it was made on another processor";
}

const char *frazil_key_never(const char **detail)
{
    *detail = find_variable_of_libc();
    if (*detail)
        return "the C library was told something:";
    *detail = "";
    return locale_is_utf8() ? check_streams() : "the locale's encoding is not UTF-8";
}

const char *frazil_key_check(const frazil_snapshot *snapshot, const char **detail)
{
    const snapshot_header *header = snapshot->header;
    const snapshot_condition *conditions = frazil_snapshot_table(snapshot, header->conditions);

    *detail = "";
    for (uint32_t i = 0; i < header->conditions.count; i++)
        if (!condition_holds(snapshot, &conditions[i])) {
            *detail = frazil_snapshot_text(snapshot, conditions[i].name);
            return "an import looked at this, and it was different:";
        }
    if (header->flags & SNAPSHOT_HONOURS_ENVIRONMENT)
        for (char **at = environ; at && *at; at++)
            if (strncmp(*at, "PYTHON", 6) == 0)
                return "a variable of Python's is set";
    return NULL;
}
