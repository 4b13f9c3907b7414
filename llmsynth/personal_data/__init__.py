"""Names, e-mail addresses, phone numbers, ids: found in tables and replaced consistently."""
