"""The checks of the cards, a module per group of the table."""
