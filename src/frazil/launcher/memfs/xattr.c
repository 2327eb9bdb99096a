/* Extended attributes of nodes (memfs/xattr.h): a list at each node, in the order of their names. */
#include "memfs/xattr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "memfs/file.h"

#define NAME_AT_MOST 255
#define VALUE_AT_MOST 65536

struct frazil_xattr {
    frazil_xattr *next;
    size_t size; /* of the value */
    size_t length; /* of the name, with its zero */
    char bytes[]; /* name, value */
};

static bool starts(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0 && name[strlen(prefix)] != 0;
}

static int check_name(const char *name)
{
    if (name == NULL)
        return -EFAULT;
    size_t length = strnlen(name, NAME_AT_MOST + 1);
    return length == 0 || length > NAME_AT_MOST ? -ERANGE : 0;
}

/* Whether the caller may do what `mask` (R_OK, W_OK) asks with this attribute, as xattr_permission of the kernel has it. */
static int permitted(const frazil_node *node, const char *name, int mask)
{
    int refusal = mask & W_OK ? -EPERM : -ENODATA;

    if (starts(name, "security.")) {
        if (strcmp(name, "security.capability") == 0)
            return mask & W_OK ? -EOPNOTSUPP : -ENODATA;
        return (mask & W_OK) && !frazil_is_superuser() ? -EPERM : 0;
    }
    if (starts(name, "trusted.") && !frazil_is_superuser())
        return refusal;
    if (starts(name, "user.")) {
        if (!S_ISREG(node->mode) && !S_ISDIR(node->mode))
            return refusal;
        if (S_ISDIR(node->mode) && (node->mode & S_ISVTX) && (mask & W_OK) && !frazil_is_owner(node))
            return -EPERM;
    }
    int error = frazil_permitted(node, mask, false);
    return error == 0 && !starts(name, "trusted.") && !starts(name, "user.") ? -EOPNOTSUPP : error;
}

/* Where the attribute is, or would be. */
static frazil_xattr **find(frazil_xattr **at, const char *name, bool *there)
{
    int order = 1;

    while (*at != NULL && (order = strcmp((*at)->bytes, name)) < 0)
        at = &(*at)->next;
    *there = *at != NULL && order == 0;
    return at;
}

static uint64_t weight(const frazil_xattr *one)
{
    return sizeof *one + one->length + one->size;
}

static void discard(frazil_xattr **at)
{
    frazil_xattr *one = *at;

    *at = one->next;
    frazil_node_bytes -= weight(one);
    free(one);
}

long frazil_xattr_get(const frazil_node *node, const char *name, void *value, size_t size)
{
    bool there;
    int error = check_name(name);

    if (error == 0)
        error = permitted(node, name, R_OK);
    if (error != 0)
        return error;
    frazil_xattr *start = node->attributes;
    const frazil_xattr *one = *find(&start, name, &there);
    if (!there)
        return -ENODATA;
    if (size == 0)
        return (long)one->size;
    if (size < one->size || value == NULL)
        return value == NULL ? -EFAULT : -ERANGE;
    memcpy(value, one->bytes + one->length, one->size);
    return (long)one->size;
}

long frazil_xattr_set(frazil_node *node, const char *name, const void *value, size_t size, int flags)
{
    bool there;
    int error = flags & ~(XATTR_CREATE | XATTR_REPLACE) ? -EINVAL : check_name(name);

    if (error == 0 && (size > VALUE_AT_MOST || (size != 0 && value == NULL)))
        error = size > VALUE_AT_MOST ? -E2BIG : -EFAULT;
    if (error == 0)
        error = permitted(node, name, W_OK);
    if (error != 0)
        return error;
    size_t length = strlen(name) + 1;
    frazil_xattr **at = find(&node->attributes, name, &there);
    if (there ? (flags & XATTR_CREATE) : (flags & XATTR_REPLACE))
        return there ? -EEXIST : -ENODATA;
    if (!frazil_file_has_room(size + length) && frazil_file_room(size + length) < size + length)
        return -ENOSPC;
    frazil_xattr *one = malloc(sizeof *one + length + size);
    if (one == NULL)
        return -ENOMEM;
    one->size = size;
    one->length = length;
    memcpy(one->bytes, name, length);
    if (size != 0)
        memcpy(one->bytes + length, value, size);
    if (there)
        discard(at);
    one->next = *at;
    *at = one;
    frazil_node_bytes += weight(one);
    node->ctime = frazil_now();
    return 0;
}

long frazil_xattr_list(const frazil_node *node, char *list, size_t size)
{
    size_t used = 0;

    for (const frazil_xattr *one = node->attributes; one != NULL; one = one->next) {
        if (starts(one->bytes, "trusted.") && !frazil_is_superuser())
            continue;
        if (size != 0 && one->length > size - used)
            return -ERANGE;
        if (size != 0)
            memcpy(list + used, one->bytes, one->length);
        used += one->length;
    }
    return (long)used;
}

long frazil_xattr_remove(frazil_node *node, const char *name)
{
    bool there;
    int error = check_name(name);

    if (error == 0)
        error = permitted(node, name, W_OK);
    if (error != 0)
        return error;
    frazil_xattr **at = find(&node->attributes, name, &there);
    if (!there)
        return -ENODATA;
    discard(at);
    node->ctime = frazil_now();
    return 0;
}

void frazil_xattr_free(frazil_node *node)
{
    while (node->attributes != NULL)
        discard(&node->attributes);
}
