"""The HTTP API under /v1: one controller a noun, each handler one call into `objects`."""
