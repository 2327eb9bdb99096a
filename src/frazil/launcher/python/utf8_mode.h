/* Python's UTF-8 mode in an interpreter that runs already. */
#ifndef FRAZIL_PYTHON_UTF8_MODE_H
#define FRAZIL_PYTHON_UTF8_MODE_H

#include <stdbool.h>

/* `on`: be as an interpreter is that started in the C locale. False when that cannot be. */
bool frazil_set_utf8_mode(bool on);

#endif
