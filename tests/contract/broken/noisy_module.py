"""A module that changes the process when it is imported: the fault of one broken brokerage."""

from __future__ import annotations

import decimal

decimal.getcontext().prec = 10
