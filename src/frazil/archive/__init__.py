"""Archives: bundles of sources, objects, libraries and headers (``docs/spec/archive.md``)."""
