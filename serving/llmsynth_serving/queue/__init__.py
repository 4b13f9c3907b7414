"""Long work in durable queues: it survives the death of whoever does it."""
