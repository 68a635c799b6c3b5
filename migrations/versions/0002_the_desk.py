"""The desk: who signs in, the audit log, postponing and correcting."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


#: The audit log only grows, whatever a bug or a hurried hand sends.
_APPEND_ONLY = {
    "sqlite": [
        f"""CREATE TRIGGER deeds_no_{verb} BEFORE {verb} ON deeds
        BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"""
        for verb in ("update", "delete")
    ]
    + [
        # INSERT OR REPLACE deletes what is in its way, and no trigger of DELETE hears of it.
        """CREATE TRIGGER deeds_no_replace BEFORE INSERT ON deeds
        WHEN EXISTS (SELECT 1 FROM deeds WHERE id = NEW.id OR digest = NEW.digest)
        BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"""
    ],
    "postgresql": [
        """CREATE FUNCTION deeds_only_grow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit log only grows'; END $$""",
        """CREATE TRIGGER deeds_no_change BEFORE UPDATE OR DELETE ON deeds
        FOR EACH ROW EXECUTE FUNCTION deeds_only_grow()""",
        """CREATE TRIGGER deeds_no_truncate BEFORE TRUNCATE ON deeds
        FOR EACH STATEMENT EXECUTE FUNCTION deeds_only_grow()""",
    ],
}


def upgrade() -> None:
    op.create_table(
        "deeds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deeds")),
        sa.UniqueConstraint("digest", name=op.f("uq_deeds_digest")),
    )
    op.create_table(
        "keys",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_keys")),
    )
    op.create_table(
        "maintainers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('maintainer','viewer')", name=op.f("ck_maintainers_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintainers")),
        sa.UniqueConstraint("name", name=op.f("uq_maintainers_name")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failures")),
    )
    with op.batch_alter_table("sign_in_failures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_failures_address"), ["address"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_in_failures_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_in_failures_name"), ["name"], unique=False)

    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("maintainer_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["maintainer_id"], ["maintainers.id"], name=op.f("fk_sign_ins_maintainer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
    )
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_ins_maintainer_id"), ["maintainer_id"], unique=False)

    with op.batch_alter_table("proposals", schema=None) as batch_op:
        batch_op.add_column(sa.Column("postponed_until", sa.Date(), nullable=True))

    # SQLite makes the table anew: of a reference written into a column it would forget the name. AUTOINCREMENT, because
    # feeds name a move by its id.
    with op.batch_alter_table("transitions", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.add_column(sa.Column("since_before", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("updated_before", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("corrects_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key("fk_transitions_corrects_id", "transitions", ["corrects_id"], ["id"])
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)
