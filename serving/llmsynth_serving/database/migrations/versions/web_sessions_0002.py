"""Browsers that are signed in, and the loss curves of fits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the step."""
    op.create_table(
        "web_session",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_key.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_web_session_created_at", "web_session", ["created_at"])
    op.create_index("ix_web_session_key_id", "web_session", ["key_id"])
    op.add_column("job", sa.Column("curve", sa.JSON(), nullable=False, server_default="{}"))
