"""Bring the schema up to date: numbered files, forward only, in one transaction.

Two processes may start at once: an advisory lock of the transaction lets one apply while the
other waits and then finds nothing left. A file that was applied is never edited: its checksum is
compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from syncd.errors import SchemaUnfit
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database

# Any number will do as long as nobody else locks it.
_LOCK = 0x5C8F3D2A


_MIGRATION_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file of `migrations/`."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Return what identifies the file's content."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def load_migrations() -> Sequence[Migration]:
    """Read the migrations this version of syncd carries, oldest first."""
    folder = resources.files("syncd.store").joinpath("migrations")
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [
        Migration(
            version=int(name[:4]),
            name=name[5:-4],
            text=folder.joinpath(name).read_text("utf-8"),
        )
        for name in files
    ]


async def migrate(database: Database, *, dry_run: bool = False) -> Sequence[Migration]:
    """Apply what is missing and return it; a dry run only returns it.

    Safe to repeat and to run from several processes; a kill leaves a migration done or not done.

    Raises:
        SchemaUnfit: the schema is newer than this syncd, an applied file was edited, or this role
            may not create what is missing or not use what is there.
        StoreUnavailable: PostgreSQL cannot be reached.
    """
    async with database.transaction() as connection:
        await connection.execute(load_blocks("migrate")["wait_for_turn"], _LOCK)
        missing = _missing(await _applied(connection, database.settings.schema))
        if missing and not dry_run:
            await _apply(connection, database.settings.schema, missing)
        return missing


async def _apply(connection: Connection, schema: str, missing: Sequence[Migration]) -> None:
    sql = load_blocks("migrate")
    grant = await connection.fetchval(sql["lacking_grant"], schema)
    if grant is not None:
        raise SchemaUnfit(
            f"this role may not create tables in schema {schema}", hint=f"as its owner run: {grant}"
        )
    create = await connection.fetchval(sql["schema_statement"], schema)
    if create is not None:
        await connection.execute(create)
    await connection.execute(sql["create_ledger"])
    for migration in missing:
        # An index over years of history may take longer than any statement of a run.
        await connection.execute(migration.text, timeout=_MIGRATION_SECONDS)
        await connection.execute(
            sql["record"], migration.version, migration.name, migration.checksum
        )


async def _applied(connection: Connection, schema: str) -> dict[int, str]:
    sql = load_blocks("migrate")
    if not await connection.fetchval(sql["ledger_exists"]):
        return {}
    grant = await connection.fetchval(sql["lacking_use"], schema)
    if grant is not None:
        raise SchemaUnfit(
            f"this role may not use the tables of schema {schema}",
            hint=f"as their owner run: {grant}",
        )
    return {row["version"]: row["checksum"] for row in await connection.fetch(sql["applied"])}


def _missing(applied: dict[int, str]) -> Sequence[Migration]:
    known = load_migrations()
    newest = max((migration.version for migration in known), default=0)
    if applied and max(applied) > newest:
        raise SchemaUnfit(
            f"the database schema is at version {max(applied)}, this syncd knows {newest}",
            hint="start the newer syncd that migrated it, or restore a backup",
        )
    for migration in known:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise SchemaUnfit(
                f"migration {migration.version:04d} was applied with other content",
                hint="install the syncd release that this database was migrated with",
            )
    return [migration for migration in known if migration.version not in applied]
