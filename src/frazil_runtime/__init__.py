"""The Python that ships inside executables. It imports as good as nothing; ``tests/runtime/test_imports.py`` holds the list."""
