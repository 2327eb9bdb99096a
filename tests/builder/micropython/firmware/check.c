// Reads the tables of frozen_content.c as the firmware does, and prints each module: kind, name, size, content in hexadecimal.
#include <stdio.h>
#include <string.h>

#include "frozen_content.c"

const qstr_pool_t mp_qstr_const_pool = {NULL, 0, MP_QSTRnumber_of};

static void print_module(const char *kind, const char *name, size_t size, const unsigned char *data)
{
    printf("%s %s %zu ", kind, name, size);
    for (size_t i = 0; i < size; i++)
        printf("%02x", data[i]);
    putchar('\n');
}

int main(void)
{
    const char *name = mp_frozen_names;
    const char *content = mp_frozen_str_content;
    size_t index = 0;
    for (; mp_frozen_str_sizes[index] != 0; index++) {
        print_module("str", name, mp_frozen_str_sizes[index], (const unsigned char *)content);
        content += mp_frozen_str_sizes[index];
        if (*content++ != '\0')
            return 1;
        name += strlen(name) + 1;
    }
    if (content + 1 != mp_frozen_str_content + sizeof mp_frozen_str_content)
        return 2;
    for (index = 0; mp_frozen_mpy_content[index] != NULL; index++) {
        const mp_frozen_module_t *module = mp_frozen_mpy_content[index];
        print_module("mpy", name, module->size, module->data);
        name += strlen(name) + 1;
    }
    if (*name != '\0' || mp_qstr_frozen_const_pool.prev != &mp_qstr_const_pool)
        return 3;
    return mp_qstr_frozen_const_pool.total_prev_len != MP_QSTRnumber_of;
}
