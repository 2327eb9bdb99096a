"""What goes wrong with modules outside the executable. An import fails with these; nothing falls back in silence.

PmmError                    an ImportError; ``name`` is the module's, where there is one
├── EnvelopeError           the bytes are no module that this Python can run
└── StorageError            a storage is broken or out of reach, which is not the same as: it has no such module
"""


class PmmError(ImportError):
    """A module of a storage cannot be used."""


class EnvelopeError(PmmError):
    """The bytes of a PMM do not hold."""


class StorageError(PmmError):
    """A storage cannot answer."""
