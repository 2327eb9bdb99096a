"""Which keys there can be (``docs/spec/pmm.md``, "Keys")."""

_LONGEST = 200
_METADATA = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")

LIMIT = 64 << 20
"""A PMM has at most so many bytes."""


def is_module_name(name: str) -> bool:
    """Whether a name can be that of a module: identifiers joined by dots. So it holds no ``/``, no NUL and no ``..``."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    return size <= _LONGEST and all(map(str.isidentifier, name.split(".")))


def is_key(key: str) -> bool:
    """Whether a key can be in a storage: a module's name, or ``@`` and what metadata are called by."""
    if key.startswith("@"):
        return 1 < len(key) <= _LONGEST and _METADATA.issuperset(key[1:])
    return is_module_name(key)
