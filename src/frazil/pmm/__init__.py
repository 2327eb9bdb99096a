"""Modules outside the executable, on the build machine: compiled, signed, published."""
