"""The commands that carry credentials about, change the passphrase and tell who has read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.credentials import Force, Store
from bot_v2.cli.output import Column, Output
from bot_v2.cli.reporting import reporting
from bot_v2.cli.vaults import (
    BACKUP_VARIABLE,
    NEW_VARIABLE,
    keyring_of,
    passphrases,
    vault_of,
    warn,
)
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.orchestration.credentials.audit import Action
from bot_v2.orchestration.credentials.errors import (
    CredentialsNotFoundError,
    StoreUnavailableError,
)
from bot_v2.orchestration.credentials.file_store import FILE, FileStore
from bot_v2.orchestration.credentials.mcube3 import TABLE, read_mcube3
from bot_v2.orchestration.credentials.model import set_name
from bot_v2.orchestration.credentials.passphrase import (
    FROM_KEYRING,
    PASSPHRASE_VARIABLE,
)
from bot_v2.orchestration.credentials.transfers import Transfer, back_up, restore, take

AUDIT_COLUMNS: Final[tuple[Column, ...]] = (
    ("at", lambda row: row.at),
    ("user", lambda row: row.user),
    ("program", lambda row: f"{row.program} ({row.process})"),
    ("action", lambda row: row.action),
    ("set", lambda row: row.set),
    ("fields", lambda row: ", ".join(row.fields)),
    ("store", lambda row: row.store),
    ("outcome", lambda row: row.outcome),
)

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


@attrs.frozen(kw_only=True)
class Rotated:
    """How the passphrase was changed; the keys of its JSON."""

    file: str
    """Whose passphrase."""
    remembered: bool
    """True: the keyring has the new one."""


def register(group: typer.Typer) -> None:
    """Add the commands to the group of those that keep credentials."""
    group.command("import")(import_sets)
    group.command("backup")(backup)
    group.command("restore")(restore_sets)
    group.command("rotate")(rotate)
    group.command("audit")(audit)


def import_sets(
    database: Annotated[
        Path,
        typer.Argument(metavar="DATABASE", help=f"An SQLite database with a table {TABLE}."),
    ],
    store: Store = None,
    force: Force = False,
    as_json: given.Json = False,
) -> None:
    """Take over the credentials of an old mCube3.

    They are read from its database, which stays as it is.
    """
    with reporting(as_json) as output:
        imported = read_mcube3(database)
        done = take(vault_of(), imported.sets, Action.IMPORT, store=store, force=force)
        _show(output, done, "imported")
        warn([f"the row {name} holds nothing" for name in imported.empty])
        warn([f"{database} is not encrypted: delete it when all is well"])


def backup(file: BackupFile, force: Force = False, as_json: given.Json = False) -> None:
    """Write an encrypted backup.

    It has the sets of keyring and file, and a passphrase of its own, which is asked for, or is
    BOT_V2_BACKUP_PASSPHRASE of the environment.
    """
    with reporting(as_json) as output:
        done = back_up(vault_of(), file, passphrases(BACKUP_VARIABLE), force=force)
        _show(output, done, "backed up")


def restore_sets(
    file: BackupFile, store: Store = None, force: Force = False, as_json: given.Json = False
) -> None:
    """Take over the sets of a backup.

    Those that are there already stay as they are, unless --force is given. The backup's passphrase
    is asked for, or is BOT_V2_BACKUP_PASSPHRASE of the environment.
    """
    with reporting(as_json) as output:
        source = passphrases(BACKUP_VARIABLE)
        _show(output, restore(vault_of(), file, source, store=store, force=force), "restored")


def rotate(
    remember: Annotated[
        bool,
        typer.Option("--remember", help="Keep the new passphrase in the keyring of this machine."),
    ] = False,
    as_json: given.Json = False,
) -> None:
    """Change the passphrase of the file.

    All is encrypted anew. The new passphrase is asked for, or is BOT_V2_NEW_PASSPHRASE of the
    environment. A keyring that has the old one is given the new one.
    """
    with reporting(as_json) as output:
        vault = vault_of()
        store = next((one for one in vault.stores if isinstance(one, FileStore)), None)
        if store is None:
            raise InvalidFieldError("credential_stores", None, f"{FILE}, to have a file at all")
        ring = keyring_of()
        if remember and not ring.is_there():
            raise StoreUnavailableError("--remember: there is no keyring on this machine")
        path = Path(store.where)
        if not path.exists():
            raise CredentialsNotFoundError(f"there is no {path} whose passphrase to change")
        # Opened first: nobody is to think of a new passphrase for a file that does not open.
        store.list_sets()
        new = passphrases(NEW_VARIABLE)(path, new=True)
        previous = store.rotate(new)
        vault.audit.record(Action.ROTATE, store=FILE, set=None)
        is_kept = remember or previous == FROM_KEYRING
        if is_kept:
            ring.keep_passphrase(new.value)
        done = Rotated(file=store.where, remembered=is_kept)
        where = " The keyring has it." if is_kept else ""
        output.show(done, lambda: output.line(f"{done.file} has a new passphrase.{where}"))
        if previous == PASSPHRASE_VARIABLE:
            warn([f"{PASSPHRASE_VARIABLE} of the environment is the old one: change it"])


def audit(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Of one set. Default: of all.")
    ] = None,
    last: Annotated[
        int, typer.Option("--last", metavar="NUMBER", min=1, help="How many, the newest.")
    ] = 50,
    as_json: given.Json = False,
) -> None:
    """Show who read or changed which credentials.

    The newest comes last. Values are never in the log.
    """
    with reporting(as_json) as output:
        log = vault_of().audit
        wanted = None if name is None else set_name(name)
        rows = [row for row in log.read() if wanted in (None, row.set)][-last:]
        output.show(rows, lambda: output.table("accesses", AUDIT_COLUMNS, rows))
        warn(log.list_warnings())


def _show(output: Output, done: Transfer, verb: str) -> None:
    def show() -> None:
        what = ", ".join(done.taken) or "nothing"
        output.line(f"{verb} {what} to {done.store}")
        if done.left:
            output.line(f"left as they are (--force replaces them): {', '.join(done.left)}")

    output.show(done, show)
