"""How the gate looks at accounts: how old a look may be, and what is remembered for how long."""

from __future__ import annotations

from datetime import timedelta

import attrs


@attrs.frozen(kw_only=True)
class GateSettings:
    """How old what is known of accounts may be. Orders of ours count whatever their age."""

    look_age: timedelta = timedelta(seconds=1)
    """How old the look at the account may be by which an order passes."""
    refusing_look_age: timedelta = timedelta(seconds=0.1)
    """How old it may be where the order is refused; an older one is taken anew before."""
    other_look_age: timedelta = timedelta(seconds=60)
    """How old the looks at the other accounts may be, for limits on all accounts together."""
    remembered_for: timedelta = timedelta(days=1)
    """How long a look serves to recognise exits while the account cannot be read."""
    late_looks: timedelta = timedelta(seconds=15)
    """How long what was given back is kept for looks that began before."""
