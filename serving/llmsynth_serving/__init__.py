"""The HTTP service: an API, queue workers and pages around the library; wiring, not synthesis."""
