"""Rules between columns that a table keeps in every row, found rather than declared."""

from llmsynth.rules.discovery import Discovery, Proposal, discover_rules

__all__ = ["Discovery", "Proposal", "discover_rules"]
