"""What admins manage: users, tokens and events of an organizer."""
