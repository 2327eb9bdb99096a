"""Warm start: makes the snapshot of an executable, and adds it (``docs/spec/snapshot.md``)."""
