"""HTTP: the two lanes that answer links, what they decide, and what they say of themselves."""
