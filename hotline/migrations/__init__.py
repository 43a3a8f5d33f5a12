"""Alembic's folder: one linear history for the tables of all rooms. `docs/operations.md` says how to add a revision."""
