"""The dashboard: what organizers see of their links, in a browser."""
