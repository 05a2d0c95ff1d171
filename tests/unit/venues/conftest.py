import pytest

from bot_v2.venues.alpaca.venue import AlpacaVenue
from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue
from bot_v2.venues.coinbase.venue import CoinbaseVenue


@pytest.fixture
def venue() -> CoinbaseVenue:
    """Advanced Trade, without a socket."""
    return CoinbaseVenue()


@pytest.fixture
def exchange() -> CoinbaseExchangeVenue:
    """The Exchange API, without a socket."""
    return CoinbaseExchangeVenue()


@pytest.fixture
def alpaca() -> AlpacaVenue:
    """Alpaca, its market always open, without a socket."""
    return AlpacaVenue()
