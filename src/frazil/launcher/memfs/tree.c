/* The tree of memfs: nodes, and the names that directories give them. */
#include "memfs/node.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/crc32.h"
#include "memfs/file.h"
#include "memfs/kernel.h"
#include "memfs/memfs.h"
#include "memfs/pipe.h"
#include "memfs/xattr.h"

#define UNCOUNTED UINT32_MAX
#define NODE_BYTES 512u /* about what a node and its name take */

frazil_node *frazil_root;
uint64_t frazil_node_bytes;
static const icecube *image;
static uint64_t first_number, next_number; /* of the upper layer */
static uint32_t own_user, own_group; /* whom FRAZIL_OWN means */
static bool changed; /* anything that the image holds */

const icecube *frazil_tree_image(void)
{
    return image;
}

void frazil_tree_changed(frazil_node *directory)
{
    if (directory != NULL) {
        directory->directory.changed = true;
        if (directory->number >= first_number)
            return;
    }
    __atomic_store_n(&changed, true, __ATOMIC_RELAXED);
}

bool frazil_tree_is_changed(void)
{
    return __atomic_load_n(&changed, __ATOMIC_RELAXED);
}

struct timespec frazil_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now;
}

static void set_links_and_kind(frazil_node *node)
{
    if (S_ISDIR(node->mode)) {
        node->directory.complete = true;
    } else if (S_ISREG(node->mode)) {
        node->file.backing = -1;
    }
}

/* Asked of the kernel, since it is not the program that asks (warm/asked.c). */
static uint32_t who(long call)
{
    return (uint32_t)frazil_kernel(call, 0);
}

void frazil_tree_know_user(void)
{
    own_user = (uint32_t)getauxval(AT_EUID);
    own_group = (uint32_t)getauxval(AT_EGID);
}

uint32_t frazil_node_user(const frazil_node *node)
{
    return node->uid == FRAZIL_OWN ? own_user : node->uid;
}

uint32_t frazil_node_group(const frazil_node *node)
{
    return node->gid == FRAZIL_OWN ? own_group : node->gid;
}

/* The node for a record of the image. A link's target stays in the image. */
static frazil_node *node_from_image(const icecube_node *record)
{
    frazil_node *node = calloc(1, sizeof *node);

    if (node == NULL)
        return NULL;
    node->number = (uint64_t)record->index + 1;
    node->image = record->index;
    node->mode = record->mode;
    node->uid = node->gid = FRAZIL_OWN;
    node->mtime.tv_sec = record->mtime_ns / 1000000000;
    node->mtime.tv_nsec = record->mtime_ns % 1000000000;
    if (node->mtime.tv_nsec < 0) {
        node->mtime.tv_nsec += 1000000000;
        node->mtime.tv_sec -= 1;
    }
    node->atime = node->ctime = node->mtime;
    set_links_and_kind(node);
    if (S_ISDIR(node->mode)) {
        node->directory.pending = record->child_count;
        node->directory.complete = record->child_count == 0;
        node->directory.subdirectories = record->child_count == 0 ? 0 : UNCOUNTED;
    } else if (S_ISREG(node->mode)) {
        node->file.size = record->size;
    } else {
        node->link.target = (const char *)record->data;
        node->link.length = (uint32_t)record->stored_size;
    }
    return node;
}

/* 0 with the record; -EIO when it is damaged. */
static int record_of(const frazil_node *node, icecube_node *record)
{
    icecube_error error;

    return icecube_node_at(image, node->image, record, &error) == ICECUBE_FOUND ? 0 : -EIO;
}

int frazil_tree_mount(const icecube *lower)
{
    icecube_node record = {.mode = S_IFDIR | 0755};
    icecube_error error;

    if (lower != NULL && icecube_node_at(lower, 0, &record, &error) != ICECUBE_FOUND)
        return -EIO;
    image = lower;
    frazil_tree_know_user();
    first_number = next_number = lower != NULL ? (uint64_t)lower->header.node_count + 1 : 2;
    frazil_node *root = node_from_image(&record);
    if (root == NULL)
        return -ENOMEM;
    if (lower == NULL) {
        root->image = ICECUBE_NO_NODE;
        root->atime = root->mtime = root->ctime = frazil_now();
    }
    root->links = 1;
    root->directory.parent = root;
    __atomic_store_n(&frazil_root, root, __ATOMIC_RELEASE);
    return 0;
}

frazil_node *frazil_node_new(uint32_t mode, const char *target, size_t length)
{
    frazil_node *node = calloc(1, sizeof *node);

    if (node == NULL)
        return NULL;
    node->number = next_number++;
    frazil_node_bytes += NODE_BYTES;
    node->image = ICECUBE_NO_NODE;
    node->mode = mode;
    node->uid = who(SYS_geteuid) == own_user ? FRAZIL_OWN : who(SYS_geteuid);
    node->gid = who(SYS_getegid) == own_group ? FRAZIL_OWN : who(SYS_getegid);
    node->atime = node->mtime = node->ctime = frazil_now();
    set_links_and_kind(node);
    if (target != NULL) {
        char *copy = malloc(length + 1);
        if (copy == NULL) {
            frazil_node_bytes -= NODE_BYTES;
            free(node);
            return NULL;
        }
        memcpy(copy, target, length);
        copy[length] = 0;
        node->link = (frazil_link){.target = copy, .length = (uint32_t)length, .allocated = true};
    }
    return node;
}

void frazil_node_hold(frazil_node *node)
{
    node->holds++;
}

void frazil_node_release(frazil_node *node)
{
    node->holds--;
    frazil_node_settle(node);
}

static void free_children(frazil_directory *directory)
{
    /* An emptied directory has no entries; only a table. */
    free(directory->buckets);
}

void frazil_node_settle(frazil_node *node)
{
    while (node->links == 0 && node->holds == 0 && node != frazil_root) {
        frazil_node *parent = NULL;
        frazil_xattr_free(node);
        if (S_ISDIR(node->mode)) {
            parent = node->directory.parent;
            free_children(&node->directory);
        } else if (S_ISREG(node->mode)) {
            frazil_file_forget(node);
        } else if (S_ISLNK(node->mode) && node->link.allocated) {
            free((char *)node->link.target);
        } else if (S_ISFIFO(node->mode)) {
            frazil_pipe_free(node);
        }
        if (node->number >= first_number)
            frazil_node_bytes -= NODE_BYTES;
        free(node);
        if (parent == NULL || --parent->holds != 0)
            return;
        node = parent;
    }
}

static void put_in_bucket(frazil_directory *directory, frazil_entry *entry)
{
    frazil_entry **bucket = &directory->buckets[entry->hash & (directory->bucket_count - 1)];

    entry->next_in_bucket = *bucket;
    *bucket = entry;
}

static int grow(frazil_directory *directory, uint32_t wanted)
{
    uint32_t count = directory->bucket_count ? directory->bucket_count : 8;

    while (count < wanted)
        count *= 2;
    if (count == directory->bucket_count)
        return 0;
    frazil_entry **buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL)
        return -ENOMEM;
    free(directory->buckets);
    directory->buckets = buckets;
    directory->bucket_count = count;
    for (frazil_entry *entry = directory->first; entry != NULL; entry = entry->next)
        put_in_bucket(directory, entry);
    return 0;
}

static void append(frazil_directory *directory, frazil_entry *entry)
{
    entry->next = NULL;
    entry->previous = directory->last;
    if (directory->last != NULL)
        directory->last->next = entry;
    else
        directory->first = entry;
    directory->last = entry;
}

static void take_out(frazil_directory *directory, frazil_entry *entry)
{
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        directory->first = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
    else
        directory->last = entry->previous;
}

static frazil_entry *find(const frazil_directory *directory, const char *name, size_t length, uint32_t hash)
{
    if (directory->bucket_count == 0)
        return NULL;
    frazil_entry *entry = directory->buckets[hash & (directory->bucket_count - 1)];
    while (entry != NULL && (entry->hash != hash || entry->length != length || memcmp(entry->name, name, length) != 0))
        entry = entry->next_in_bucket;
    return entry;
}

/* Give `node` a name; NULL when memory is short. Touches neither link counts nor times. */
static frazil_entry *enter(frazil_node *parent, const char *name, size_t length, frazil_node *node)
{
    frazil_directory *directory = &parent->directory;

    if (grow(directory, directory->entry_count + 1) != 0)
        return NULL;
    frazil_entry *entry = malloc(sizeof *entry + length + 1);
    if (entry == NULL)
        return NULL;
    entry->node = node;
    entry->hash = frazil_crc32(0, name, length);
    entry->length = (uint16_t)length;
    memcpy(entry->name, name, length);
    entry->name[length] = 0;
    put_in_bucket(directory, entry);
    append(directory, entry);
    directory->entry_count++;
    return entry;
}

/* The entry for a child in the image, made now. */
static frazil_entry *enter_from_image(frazil_node *parent, const icecube_node *record, int *error)
{
    const char *name = record->path + record->base_offset;
    size_t length = record->path_length - record->base_offset;
    icecube_error damage;

    if (length == 0 || length > NAME_MAX) {
        *error = -EIO;
        return NULL;
    }
    if (S_ISLNK(record->mode) && icecube_verify(image, record, &damage) != ICECUBE_FOUND) {
        *error = -EIO;
        return NULL;
    }
    frazil_node *node = node_from_image(record);
    frazil_entry *entry = node != NULL ? enter(parent, name, length, node) : NULL;
    if (entry == NULL) {
        free(node);
        *error = -ENOMEM;
        return NULL;
    }
    parent->directory.pending--;
    node->links = 1;
    if (S_ISDIR(node->mode)) {
        node->directory.parent = parent;
        parent->holds++;
    }
    return entry;
}

frazil_entry *frazil_lookup(frazil_node *directory, const char *name, size_t length, int *error)
{
    char path[ICECUBE_MAX_PATH + 1];
    icecube_node above, record;
    icecube_error damage;
    size_t start = 0;

    *error = 0;
    frazil_entry *entry = find(&directory->directory, name, length, frazil_crc32(0, name, length));
    if (entry != NULL || directory->directory.complete)
        return entry;
    if ((*error = record_of(directory, &above)) != 0)
        return NULL;
    if (above.path_length + 1 + length > sizeof path)
        return NULL;
    if (above.path_length != 0) {
        memcpy(path, above.path, above.path_length);
        path[above.path_length] = '/';
        start = above.path_length + 1;
    }
    memcpy(path + start, name, length);
    icecube_status status = icecube_find(image, path, start + length, &record, &damage);
    if (status == ICECUBE_ABSENT)
        return NULL;
    if (status != ICECUBE_FOUND || record.parent != directory->image || record.index == 0) {
        *error = -EIO;
        return NULL;
    }
    return enter_from_image(directory, &record, error);
}

int frazil_complete(frazil_node *node)
{
    frazil_directory *directory = &node->directory;
    icecube_node above, record;
    icecube_error damage;
    int error = 0;

    if (directory->complete)
        return 0;
    if ((error = record_of(node, &above)) != 0)
        return error;
    if (grow(directory, directory->entry_count + above.child_count) != 0)
        return -ENOMEM;
    for (uint32_t child = 0; child < above.child_count; child++) {
        if (icecube_node_at(image, above.first_child + child, &record, &damage) != ICECUBE_FOUND || record.parent != node->image
            || record.index == 0)
            return -EIO;
        const char *name = record.path + record.base_offset;
        size_t length = record.path_length - record.base_offset;
        frazil_entry *entry = find(directory, name, length, frazil_crc32(0, name, length));
        if (entry != NULL) { /* looked up before: to its place in the order */
            take_out(directory, entry);
            append(directory, entry);
        } else if (enter_from_image(node, &record, &error) == NULL) {
            return error;
        }
    }
    directory->complete = true;
    return 0;
}

/* Directories among the children, which the image does not count. */
static uint32_t count_subdirectories(const frazil_node *node)
{
    icecube_node above, record;
    icecube_error damage;
    uint32_t count = 0;

    if (record_of(node, &above) != 0)
        return 0;
    for (uint32_t child = 0; child < above.child_count; child++)
        if (icecube_node_at(image, above.first_child + child, &record, &damage) == ICECUBE_FOUND && S_ISDIR(record.mode))
            count++;
    return count;
}

uint32_t frazil_node_links(frazil_node *node)
{
    if (!S_ISDIR(node->mode))
        return node->links;
    if (node->directory.removed)
        return 0;
    if (node->directory.subdirectories == UNCOUNTED)
        node->directory.subdirectories = count_subdirectories(node);
    return 2 + node->directory.subdirectories;
}

uint32_t frazil_node_entries(const frazil_node *node)
{
    return node->directory.entry_count + node->directory.pending;
}

static void count_subdirectory(frazil_node *parent, int change)
{
    frazil_node_links(parent); /* counts what the image has */
    parent->directory.subdirectories += (uint32_t)change;
}

int frazil_attach(frazil_node *parent, const char *name, size_t length, frazil_node *node)
{
    if (S_ISDIR(node->mode))
        count_subdirectory(parent, 1);
    if (enter(parent, name, length, node) == NULL) {
        if (S_ISDIR(node->mode))
            parent->directory.subdirectories--;
        return -ENOMEM;
    }
    if (node->links++ > 0)
        frazil_node_bytes += NODE_BYTES; /* the first name came with the node */
    if (S_ISDIR(node->mode)) {
        node->directory.parent = parent;
        parent->holds++;
    }
    parent->mtime = parent->ctime = frazil_now();
    frazil_tree_changed(parent);
    return 0;
}

static void lose_name(frazil_node *node)
{
    if (--node->links > 0)
        frazil_node_bytes -= NODE_BYTES;
}

static void remove_entry(frazil_directory *directory, frazil_entry *entry)
{
    frazil_entry **at = &directory->buckets[entry->hash & (directory->bucket_count - 1)];

    while (*at != entry)
        at = &(*at)->next_in_bucket;
    *at = entry->next_in_bucket;
    take_out(directory, entry);
    directory->entry_count--;
    free(entry);
}

void frazil_detach(frazil_node *parent, frazil_entry *entry)
{
    frazil_node *node = entry->node;

    remove_entry(&parent->directory, entry);
    parent->mtime = parent->ctime = node->ctime = frazil_now();
    frazil_tree_changed(parent);
    lose_name(node);
    if (S_ISDIR(node->mode)) {
        count_subdirectory(parent, -1);
        node->directory.removed = true;
    }
    frazil_node_settle(node);
}

static void move_below(frazil_node *node, frazil_node *from, frazil_node *to)
{
    if (!S_ISDIR(node->mode) || from == to)
        return;
    count_subdirectory(from, -1);
    count_subdirectory(to, 1);
    node->directory.parent = to;
    to->holds++;
    from->holds--;
}

int frazil_move(frazil_node *from, frazil_entry *entry, frazil_node *to, frazil_entry *there, const char *name, size_t length)
{
    frazil_node *node = entry->node, *replaced = there != NULL ? there->node : NULL;

    if (there != NULL)
        there->node = node;
    else if (enter(to, name, length, node) == NULL)
        return -ENOMEM;
    remove_entry(&from->directory, entry);
    move_below(node, from, to);
    from->mtime = from->ctime = to->mtime = to->ctime = node->ctime = frazil_now();
    frazil_tree_changed(from);
    frazil_tree_changed(to);
    if (replaced != NULL) {
        lose_name(replaced);
        replaced->ctime = node->ctime;
        if (S_ISDIR(replaced->mode)) {
            count_subdirectory(to, -1);
            replaced->directory.removed = true;
        }
        frazil_node_settle(replaced);
    }
    return 0;
}

void frazil_swap(frazil_node *one, frazil_entry *first, frazil_node *other, frazil_entry *second)
{
    frazil_node *node = first->node;

    first->node = second->node;
    second->node = node;
    move_below(second->node, one, other);
    move_below(first->node, other, one);
    one->mtime = one->ctime = other->mtime = other->ctime = first->node->ctime = second->node->ctime = frazil_now();
    frazil_tree_changed(one);
    frazil_tree_changed(other);
}

bool frazil_tree_is_unchanged(const char *path, size_t length)
{
    frazil_node *node = frazil_root;
    icecube_node record;
    icecube_error problem;
    int error = 0;

    if (image == NULL || icecube_find(image, path, length, &record, &problem) != ICECUBE_FOUND)
        return false;
    for (const char *at = path, *end = path + length; at < end;) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t size = (size_t)((slash != NULL ? slash : end) - at);
        frazil_entry *entry = S_ISDIR(node->mode) ? frazil_lookup(node, at, size, &error) : NULL;
        if (entry == NULL)
            return false;
        node = entry->node;
        at += size + (slash != NULL);
    }
    if (node->number != (uint64_t)record.index + 1)
        return false;
    return S_ISDIR(node->mode) ? !node->directory.changed : node->image != ICECUBE_NO_NODE;
}

bool frazil_is_below(const frazil_node *node, const frazil_node *ancestor)
{
    while (node != ancestor) {
        if (node == frazil_root)
            return false;
        node = node->directory.parent;
    }
    return true;
}

static const char *name_in_parent(const frazil_node *node, size_t *length)
{
    const frazil_directory *parent = &node->directory.parent->directory;

    for (const frazil_entry *entry = parent->first; entry != NULL; entry = entry->next) {
        if (entry->node == node) {
            *length = entry->length;
            return entry->name;
        }
    }
    return NULL;
}

long frazil_directory_path(const frazil_node *directory, char *path, size_t size)
{
    char buffer[2 * PATH_MAX];
    size_t at = sizeof buffer, length;

    for (const frazil_node *node = directory; node != frazil_root; node = node->directory.parent) {
        if (node->directory.removed)
            return -ENOENT;
        const char *name = name_in_parent(node, &length);
        if (name == NULL)
            return -ENOENT;
        if (length + 1 + sizeof FRAZIL_MOUNT > at)
            return -ERANGE;
        at -= length;
        memcpy(buffer + at, name, length);
        buffer[--at] = '/';
    }
    at -= sizeof FRAZIL_MOUNT - 1;
    memcpy(buffer + at, FRAZIL_MOUNT, sizeof FRAZIL_MOUNT - 1);
    length = sizeof buffer - at;
    if (length + 1 > size)
        return -ERANGE;
    memcpy(path, buffer + at, length);
    path[length] = 0;
    return (long)length;
}

bool frazil_is_superuser(void)
{
    return who(SYS_geteuid) == 0;
}

bool frazil_is_owner(const frazil_node *node)
{
    uid_t user = who(SYS_geteuid);

    return user == 0 || user == frazil_node_user(node);
}

static bool in_group(gid_t group, bool real)
{
    gid_t groups[NGROUPS_MAX > 1024 ? 1024 : NGROUPS_MAX];

    if ((real ? who(SYS_getgid) : who(SYS_getegid)) == group)
        return true;
    int count = getgroups((int)(sizeof groups / sizeof groups[0]), groups);
    for (int i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return false;
}

int frazil_permitted(const frazil_node *node, int mask, bool real)
{
    uint32_t wanted = (uint32_t)mask & 7, mode = node->mode;

    if ((mode & (mode >> 3) & (mode >> 6) & wanted) == wanted) /* everybody may: no need to ask who it is */
        return 0;
    uid_t user = real ? who(SYS_getuid) : who(SYS_geteuid);
    if (user == 0)
        return (wanted & 1) && !S_ISDIR(mode) && !(mode & 0111) ? -EACCES : 0;
    if (user == frazil_node_user(node))
        mode >>= 6;
    else if (in_group(frazil_node_group(node), real))
        mode >>= 3;
    return (mode & wanted) == wanted ? 0 : -EACCES;
}
