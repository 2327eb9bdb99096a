"""From dumps to a snapshot (``docs/spec/snapshot.md``); executables have it only if they make theirs at first start."""
