"""Tests on real parts: a real Redis, real SQLite files, real processes and sockets."""
