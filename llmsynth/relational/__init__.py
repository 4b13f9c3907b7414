"""Tables whose rows belong together: groups of rows in time, and related tables."""
