# CPython's own SHA-2, 3.12 and later.

from hashlib import _Hash
from typing import TypeAlias

_Buffer: TypeAlias = bytes | bytearray | memoryview

def sha256(data: _Buffer = ...) -> _Hash: ...
