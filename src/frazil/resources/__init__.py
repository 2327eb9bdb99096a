"""Resources: what can go into an executable, and where it comes from."""
