"""The screens, a module each: what is asked for, read, and shown."""
