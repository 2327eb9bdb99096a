/* The built-in module _frazil: what the run-time needs of the image. */
#ifndef FRAZIL_MODULE_H
#define FRAZIL_MODULE_H

#include "core.h"

/* Add _frazil to CPython's built-in modules; before Py_Initialize. `core` must live as long as the interpreter. */
void frazil_module_register(const frazil_core *core);

#endif
