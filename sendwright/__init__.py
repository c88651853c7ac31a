"""From an inventory to a sending server whose mail is accepted, and the proof of it."""

__version__ = "0.1.0"
