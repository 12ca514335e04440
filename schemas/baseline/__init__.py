"""The reference of a model: the bins and bases it gives to the specification, and what was counted on them."""
