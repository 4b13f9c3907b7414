"""What alembic runs: the steps, on the connection that `upgrade` opened."""

from __future__ import annotations

from alembic import context

from llmsynth_serving.database.records import Record

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Record.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
