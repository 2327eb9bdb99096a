"""What is wrong with a manifest."""

from __future__ import annotations

from frazil.errors import SourceError


class ManifestError(SourceError):
    """A manifest, or what it asks for; ``where`` is the manifest with the line."""


class UnknownPackageError(ManifestError, ValueError):
    """``require`` finds nothing. A ValueError too: manifests catch that to do without a package."""
