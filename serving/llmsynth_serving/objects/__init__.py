"""What callers own, and what can be done with it; the API and the pages both come here."""
