"""Everything is killed, frozen, cut off and locked, and every click is counted once."""
