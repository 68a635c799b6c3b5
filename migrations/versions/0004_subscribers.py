"""Subscribers: what each wants and when, signing up, and addresses that are not written to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Signed links name a row by its id: none may come twice.
    with op.batch_alter_table("subscriptions", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        for column in (
            sa.Column("sealed", sa.LargeBinary(), nullable=True),
            sa.Column("interests", sa.JSON(), nullable=False, server_default='["status"]'),
            sa.Column("hour", sa.Integer(), nullable=True),
            sa.Column("weekday", sa.Integer(), nullable=True),
            sa.Column("zone", sa.String(length=64), nullable=True),
            sa.Column("consent", sa.String(), nullable=False, server_default=""),
            sa.Column("consented_on", sa.Date(), nullable=True),
            sa.Column("paused_until", sa.Date(), nullable=True),
            sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        ):
            batch_op.add_column(column)
    # What those who are there already get; from now on the program says it.
    with op.batch_alter_table("subscriptions", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.alter_column("interests", server_default=None)
        batch_op.alter_column("consent", server_default=None)
    op.create_table(
        "sign_ups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("choice", sa.JSON(), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ups")),
        sqlite_autoincrement=True,
    )
    for column_name in ("address", "ip", "created_at"):
        op.create_index(op.f(f"ix_sign_ups_{column_name}"), "sign_ups", [column_name])
    op.create_table(
        "suppressions",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("why", sa.String(length=12), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("why IN ('bounced','complained','left','deleted')", name=op.f("ck_suppressions_why")),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_suppressions")),
    )
