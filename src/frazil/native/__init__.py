"""Native modules: declared or captured, compiled, and made fit for linking into the launcher."""
