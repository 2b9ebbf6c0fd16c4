"""What versions before journals left behind: moved over exactly once, then gone."""
