"""The cases, as data."""
