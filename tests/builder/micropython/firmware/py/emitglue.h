// A stand-in for the firmware's types of frozen content.
#ifndef FIRMWARE_EMITGLUE_H
#define FIRMWARE_EMITGLUE_H
#include <stddef.h>

typedef struct {
    const void *prev;
    size_t total_prev_len;
    size_t len;
} qstr_pool_t;

typedef struct {
    size_t size;
    const unsigned char *data;
} mp_frozen_module_t;

typedef mp_frozen_module_t mp_raw_code_t;

enum { MP_QSTRnumber_of = 7 };
extern const qstr_pool_t mp_qstr_const_pool;
#endif
