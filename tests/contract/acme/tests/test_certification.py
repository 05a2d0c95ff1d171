from bot_v2.testing.suite import BrokerageContract


class TestAcme(BrokerageContract):
    """Acme keeps the contract."""
