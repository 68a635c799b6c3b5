"""A mailbox however its capitals are typed, and the deliveries of a day, are found without reading all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_subscriptions_mailbox", "subscriptions", [sa.text("lower(address)")])
    op.create_index(op.f("ix_deliveries_created_at"), "deliveries", ["created_at"])
