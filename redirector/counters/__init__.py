"""The counters in Redis: each writer's own, to which ranges of its records are added."""
