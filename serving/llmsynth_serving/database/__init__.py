"""Metadata of the service: one model for SQLite and PostgreSQL."""
