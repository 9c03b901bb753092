"""Layers of a bundle one by one: their bits, what they lose, and what more bits cost."""
