"""Who may do what: keys, scopes, sessions, quotas and the audit log."""
