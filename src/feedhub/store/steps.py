"""Steps of the schema that both databases take: each is numbered, and append only (see ``MIGRATIONS``)."""


def ninth(number: str, text: str, binary: str, rowid: str, now: str) -> tuple[str, ...]:
    """Have output folders remember what was published, of which the store keeps a note for the one that it had.

    Outputs have change numbers: those that are due a new one. Items that wait for the index of the full text are named.
    Stories get their tables. The types, what comes after a table whose rows lie in the order of its key, and the
    present time are of the dialect.
    """

    def told(name: str, unset: int) -> str:
        return f"coalesce((SELECT CAST(value AS BIGINT) FROM meta WHERE \"key\" = '{name}'), {unset})"  # noqa: S608

    changed = f"({told('change_number', 0)} + 1)"
    return (
        f"""INSERT INTO meta ("key", value) SELECT 'published_by_schema_8',
            '{{"number": ' || {told("pages_published", -1)} || ', "posts": ' || {told("posts_published", 0)}
            || ', "health": ' || {told("health_published", 0)} || ', "settings": "' || value || '"}}'
            FROM meta WHERE "key" = 'output_digest'""",  # noqa: S608
        f"UPDATE categories SET version = CASE WHEN version > published_version THEN {changed} ELSE 0 END",  # noqa: S608
        f"""INSERT INTO meta ("key", value) VALUES ('change_number', CAST({changed} AS TEXT))
            ON CONFLICT ("key") DO UPDATE SET value = excluded.value""",  # noqa: S608
        """DELETE FROM meta
            WHERE "key" IN ('pages_published', 'posts_published', 'health_published', 'output_digest')""",
        "ALTER TABLE categories DROP COLUMN published_version",
        "ALTER TABLE removed_categories RENAME COLUMN published_at TO removed_at",
        f"UPDATE removed_categories SET removed_at = {now} WHERE removed_at IS NULL",  # noqa: S608
        f"CREATE TABLE unindexed_items (item_pk {number} NOT NULL, PRIMARY KEY (item_pk))",
        """INSERT INTO unindexed_items SELECT pk FROM items
            WHERE pk > (SELECT CAST(value AS BIGINT) FROM meta WHERE "key" = 'search_indexed_to')""",
        """DELETE FROM meta WHERE "key" = 'search_indexed_to'""",
        f"CREATE TABLE branches (number {number} NOT NULL, token {text} NOT NULL, PRIMARY KEY (number))",
        *_stories(number, text, binary, rowid),
    )


def _stories(number: str, text: str, binary: str, rowid: str) -> tuple[str, ...]:
    item = f"item_pk {number} NOT NULL"
    refers = "FOREIGN KEY (item_pk) REFERENCES items (pk)"
    return (
        f"ALTER TABLE items ADD COLUMN unlisted {number}",
        "DROP INDEX items_newest",
        """CREATE INDEX items_newest ON items (published_at DESC, first_seen_at DESC, position)
            WHERE shown_by IS NOT NULL AND unlisted IS NULL""",
        f"""CREATE TABLE story_sketches ({item}, sketch {binary} NOT NULL, waits {number},
            PRIMARY KEY (item_pk), {refers})""",
        "CREATE INDEX story_sketches_waiting ON story_sketches (item_pk) WHERE waits IS NOT NULL",
        f"""CREATE TABLE story_keys (number {number} NOT NULL, {item},
            PRIMARY KEY (number, item_pk), {refers}){rowid}""",
        f"""CREATE TABLE story_members ({item}, story {number} NOT NULL, text {number} NOT NULL, how {text} NOT NULL,
            other_pk {number}, reason {text}, misses {text}, PRIMARY KEY (item_pk), {refers})""",
        "CREATE INDEX story_members_story ON story_members (story)",
        f"""CREATE TABLE story_folds ({item}, slug {text} NOT NULL, shown_pk {number} NOT NULL,
            PRIMARY KEY (item_pk, slug), {refers}, FOREIGN KEY (shown_pk) REFERENCES items (pk))""",
        "CREATE INDEX story_folds_shown ON story_folds (shown_pk, slug)",
    )
