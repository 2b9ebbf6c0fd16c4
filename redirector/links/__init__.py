"""Links: what is known of them, and where they lead."""
