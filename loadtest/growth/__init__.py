"""What becomes of it as it grows: more campaigns, links, counters, connections, processes."""
