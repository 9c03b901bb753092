"""Device profiles and rules as data. Standard library only."""
