"""Who may see and do what in the dashboard: users, their sessions, shared addresses."""
