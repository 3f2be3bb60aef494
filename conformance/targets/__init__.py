"""Profiles of targets."""
