"""What can be wrong with credentials and with where they are kept; none of it shows a value."""

from __future__ import annotations

from bot_v2.features.brokerages.core.errors import BrokerageError


class CredentialStoreError(BrokerageError):
    """What was asked of a store of credentials did not happen."""


class CredentialsNotFoundError(CredentialStoreError):
    """No store has credentials of that name; says where was looked."""


class PassphraseMissingError(CredentialStoreError):
    """The encrypted file needs a passphrase, and nobody gives one."""


class WrongPassphraseError(CredentialStoreError):
    """The file is sound, and this passphrase does not open it."""


class DamagedStoreError(CredentialStoreError):
    """What is kept is not what was written: nothing of it is used."""


class StoreBusyError(CredentialStoreError):
    """Another process is writing to the store, and does not finish."""


class StoreUnavailableError(CredentialStoreError):
    """The store cannot be reached, read or written."""
