"""Search: the words of the board's texts, the bills' titles and their actions.

On SQLite triggers keep the FTS5 tables in step. A later version that makes one of the three tables anew (any batch
that changes a column) drops its triggers and must make them again, as here.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TOKENS = "tokenize = 'porter unicode61 remove_diacritics 2'"

#: Issues have no integer key that VACUUM would leave alone, and are few: their index holds a copy.
_ISSUES = (
    f"CREATE VIRTUAL TABLE issue_words USING fts5(id UNINDEXED, name, narrative, {_TOKENS})",
    """CREATE TRIGGER issue_words_insert AFTER INSERT ON issues
    BEGIN INSERT INTO issue_words (id, name, narrative) VALUES (new.id, new.name, new.narrative); END""",
    """CREATE TRIGGER issue_words_delete AFTER DELETE ON issues
    BEGIN DELETE FROM issue_words WHERE id = old.id; END""",
    """CREATE TRIGGER issue_words_update AFTER UPDATE OF name, narrative ON issues
    BEGIN UPDATE issue_words SET name = new.name, narrative = new.narrative WHERE id = old.id; END""",
    "INSERT INTO issue_words (id, name, narrative) SELECT id, name, narrative FROM issues",
)


def _outside(index: str, table: str, column: str) -> tuple[str, ...]:
    """An index that keeps no second copy of the text: its rows are found by their integer key."""
    forget = f"INSERT INTO {index} ({index}, rowid, {column}) VALUES ('delete', old.id, old.{column});"  # noqa: S608
    learn = f"INSERT INTO {index} (rowid, {column}) VALUES (new.id, new.{column});"  # noqa: S608
    return (
        f"CREATE VIRTUAL TABLE {index} USING fts5({column}, content='{table}', content_rowid='id', {_TOKENS})",
        f"CREATE TRIGGER {index}_insert AFTER INSERT ON {table} BEGIN {learn} END",
        f"CREATE TRIGGER {index}_delete AFTER DELETE ON {table} BEGIN {forget} END",
        f"CREATE TRIGGER {index}_update AFTER UPDATE OF {column} ON {table} BEGIN {forget} {learn} END",
        f"INSERT INTO {index} ({index}) VALUES ('rebuild')",  # noqa: S608
    )


_STATEMENTS = {
    "sqlite": (
        *_ISSUES,
        *_outside("bill_words", "bills", "title"),
        *_outside("action_words", "actions", "description"),
    ),
    "postgresql": (
        "CREATE INDEX issue_words ON issues USING gin (to_tsvector('english', textcat(textcat(name, ' '), narrative)))",
        "CREATE INDEX bill_words ON bills USING gin (to_tsvector('english', title))",
        "CREATE INDEX action_words ON actions USING gin (to_tsvector('english', description))",
    ),
}


def upgrade() -> None:
    for statement in _STATEMENTS[op.get_bind().dialect.name]:
        op.execute(statement)
