"""SHA-256 as the interpreter itself has it: hashlib would load all of OpenSSL for it."""

try:
    from _sha2 import sha256
except ImportError:
    from _sha256 import sha256

__all__ = ["sha256"]
