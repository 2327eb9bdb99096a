"""SHA-256 as the interpreter itself has it: hashlib would load all of OpenSSL for it."""

import sys

if sys.version_info >= (3, 12):
    from _sha2 import sha256
else:
    from _sha256 import sha256

__all__ = ["sha256"]
