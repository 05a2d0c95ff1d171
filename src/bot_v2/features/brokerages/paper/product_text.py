"""A product as text and back, exactly: what an account file keeps of what was traded."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from functools import cache

from cattrs import Converter

from bot_v2.features.brokerages.core.fields import FrozenMapping
from bot_v2.features.brokerages.core.products import Product


def product_to_text(product: Product) -> str:
    """Return a product as JSON; its native extras are not kept."""
    return json.dumps(_converter().unstructure(product))


def product_from_text(text: str) -> Product:
    """Return the product that `product_to_text` was given.

    Raises:
        ValueError: the text is no product.
    """
    return _converter().structure(json.loads(text), Product)


@cache
def _converter() -> Converter:
    converter = Converter(omit_if_default=True, detailed_validation=False)
    # str() keeps the exponent, and with it every trailing zero.
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda text, _: Decimal(text))
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(date, lambda text, _: date.fromisoformat(text))
    converter.register_unstructure_hook(FrozenMapping, lambda _: {})
    converter.register_structure_hook(FrozenMapping, lambda plain, _: FrozenMapping(plain))
    return converter
