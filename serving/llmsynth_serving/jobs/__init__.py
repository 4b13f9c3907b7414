"""What a job does: one ordinary function a kind, each one call into the library."""
