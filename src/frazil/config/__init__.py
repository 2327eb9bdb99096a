"""Front-ends: what the user wrote becomes a plan."""
