"""For MicroPython: a tree of ``.mpy`` files for a device, or the C file that a firmware is built with."""
