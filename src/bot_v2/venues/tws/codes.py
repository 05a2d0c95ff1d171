"""The error codes that the venue says, and their words.

Where a sentence of the broker's documentation holds a name or a number, it is a placeholder here.
"""

from __future__ import annotations

from typing import Final

RATE: Final = 100
DUPLICATE_ID: Final = 103
MODIFY_FILLED: Final = 104
MODIFY_MISMATCH: Final = 105
OFF_TICK: Final = 110
NO_SUCH_ORDER: Final = 135
NOT_CANCELLABLE: Final = 161
HISTORICAL: Final = 162
NO_CONTRACT: Final = 200
REJECTED: Final = 201
CANCELLED: Final = 202
NOT_ALLOWED: Final = 203
READING: Final = 320
VALIDATING: Final = 321
PROCESSING: Final = 322
CLIENT_ID_IN_USE: Final = 326
MODIFY_TYPE: Final = 329
NOT_SUBSCRIBED_OLD: Final = 354
ORDER_TYPE: Final = 387
ORDER_MESSAGE: Final = 399
NOT_CONNECTED: Final = 504
LINK_LOST: Final = 1100
LINK_BACK_DATA_LOST: Final = 1101
LINK_BACK: Final = 1102
FARM_BROKEN: Final = 2103
FARM_OK: Final = 2104
HISTORY_FARM_BROKEN: Final = 2105
HISTORY_FARM_OK: Final = 2106
HISTORY_FARM_INACTIVE: Final = 2107
FARM_INACTIVE: Final = 2108
SERVER_LINK_BROKEN: Final = 2110
DEFINITIONS_FARM_OK: Final = 2158
NO_ACCOUNT: Final = 435
NO_PARENT: Final = 10006
NOT_SUBSCRIBED: Final = 10089
NO_DEPTH: Final = 10092
CANCEL_UNKNOWN: Final = 10147
CANCEL_ENDED: Final = 10148
DELAYED: Final = 10167
TICK_TYPES: Final = 10189
CASH_QUANTITY: Final = 10244

TEXTS: Final = {
    RATE: "Max rate of messages per second has been exceeded:max={limit} rec={count} ({times})",
    DUPLICATE_ID: "Duplicate order id",
    MODIFY_FILLED: "Cannot modify a filled order.",
    MODIFY_MISMATCH: "Order being modified does not match original order",
    OFF_TICK: "The price does not conform to the minimum price variation for this contract.",
    NO_SUCH_ORDER: "Can't find order with id ={order_id}",
    NOT_CANCELLABLE: (
        "Cancel attempted when order is not in a cancellable state.  Order permId ={perm_id}"
    ),
    HISTORICAL: "Historical Market Data Service error message:{reason}",
    NO_CONTRACT: "{reason}",
    REJECTED: "Order rejected - reason:{reason}",
    CANCELLED: "Order Canceled - reason:{reason}",
    NOT_ALLOWED: "The security is not available or allowed for this account.",
    READING: "Error reading request. {reason}",
    VALIDATING: "Error validating request.-'{where}' : cause - {reason}",
    PROCESSING: "Error processing request.-'{where}' : cause - {reason}",
    CLIENT_ID_IN_USE: (
        "Unable to connect as the client id is already in use. Retry with a unique client id."
    ),
    MODIFY_TYPE: "Order modify failed. Cannot change to the new order type.",
    NOT_SUBSCRIBED_OLD: "Requested market data is not subscribed.",
    ORDER_TYPE: "Unsupported order type for this exchange and security type.",
    ORDER_MESSAGE: "Order Message:\n{reason}",
    NOT_CONNECTED: "Not connected",
    LINK_LOST: "Connectivity between IBKR and Trader Workstation has been lost.",
    LINK_BACK_DATA_LOST: (
        "Connectivity between IBKR and Trader Workstation has been restored - data lost."
    ),
    LINK_BACK: (
        "Connectivity between IBKR and Trader Workstation has been restored - data maintained."
    ),
    FARM_BROKEN: "Market data farm connection is broken:{farm}",
    FARM_OK: "Market data farm connection is OK:{farm}",
    HISTORY_FARM_BROKEN: "HMDS data farm connection is broken:{farm}",
    HISTORY_FARM_OK: "HMDS data farm connection is OK:{farm}",
    FARM_INACTIVE: (
        "Market data farm connection is inactive but should be available upon demand.{farm}"
    ),
    HISTORY_FARM_INACTIVE: (
        "HMDS data farm connection is inactive but should be available upon demand.{farm}"
    ),
    SERVER_LINK_BROKEN: (
        "Connectivity between Trader Workstation and server is broken. "
        "It will be restored automatically."
    ),
    DEFINITIONS_FARM_OK: "Sec-def data farm connection is OK:{farm}",
    NO_ACCOUNT: "You must specify an account.",
    NO_PARENT: "Missing parent order.",
    NOT_SUBSCRIBED: (
        "Requested market data requires additional subscription for API. See link in 'Market Data "
        "Connections' dialog for more details.Delayed market data is available.{what}"
    ),
    NO_DEPTH: "Deep market data is not supported for this combination of security type/exchange",
    CANCEL_UNKNOWN: "OrderId {order_id} that needs to be cancelled is not found.",
    CANCEL_ENDED: (
        "OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {state}."
    ),
    DELAYED: "Requested market data is not subscribed. Displaying delayed market data.",
    TICK_TYPES: "Failed to request tick-by-tick data.{reason}",
    CASH_QUANTITY: "Cash Quantity cannot be used for this order/contract.",
}
"""What each code says."""

UNKNOWN_CONTRACT: Final = "No security definition has been found for the request"
AMBIGUOUS_CONTRACT: Final = "The contract description specified for {symbol} is ambiguous."

FARM: Final = "usfarm"
HISTORY_FARM: Final = "ushmds"
DEFINITIONS_FARM: Final = "secdefil"


def text_for(code: int, **parts: object) -> str:
    """Return what a code says."""
    return TEXTS[code].format(**parts)


class RefusalError(Exception):
    """The venue refuses a request."""

    def __init__(self, code: int, **parts: object) -> None:
        """Say why."""
        super().__init__(text_for(code, **parts))
        self.code = code
        self.text = text_for(code, **parts)
