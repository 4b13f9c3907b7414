"""Shards: jobs that are parts of a larger one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the step."""
    op.add_column("job", sa.Column("parent_id", sa.String(length=64), nullable=True))
    op.create_index("ix_job_parent_id", "job", ["parent_id"])
