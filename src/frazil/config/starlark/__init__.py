"""Starlark, the language of configurations: parsed by Python's ``ast``, checked whole, then run as a tree of closures.

Source text becomes a tree (``parser``) whose every node is one that Starlark has (``syntax``) and whose every name is bound
(``names``); only then does anything run. ``expressions`` and ``statements`` turn the tree into closures; nothing is compiled
by Python and no attribute of a Python object can be reached but those that a ``HostObject`` declares. ``interpreter`` is the
way in for hosts. Recursion is refused and loops are counted, so every program ends.
"""
