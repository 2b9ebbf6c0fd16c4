"""Journals: a writer's records on its own disk."""
