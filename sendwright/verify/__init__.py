"""Verify what is published and what runs: the library's door is ``verify``."""
