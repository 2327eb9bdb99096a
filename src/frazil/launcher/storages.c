/* The table of C functions that are registered as storages. Entries are only ever added, so that looking at it needs no lock.
 */
#include "storages.h"

#include <pthread.h>
#include <stdatomic.h>

#define STORAGES_AT_MOST 64

static struct {
    frazil_load load;
    void *context;
} table[STORAGES_AT_MOST];
static atomic_int count;
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

int frazil_register_storage(frazil_load load, void *context)
{
    int result = -1;

    pthread_mutex_lock(&adding);
    int at = atomic_load(&count);
    if (load && at < STORAGES_AT_MOST) {
        table[at].load = load;
        table[at].context = context;
        atomic_store(&count, at + 1);
        result = 0;
    }
    pthread_mutex_unlock(&adding);
    return result;
}

int frazil_ask_storages(const char *name, const void **data, size_t *size)
{
    int answer = FRAZIL_NOT_HERE;

    for (int i = 0, n = atomic_load(&count); i < n && answer == FRAZIL_NOT_HERE; i++) {
        *data = NULL;
        *size = 0;
        answer = table[i].load(table[i].context, name, data, size);
    }
    return answer;
}
