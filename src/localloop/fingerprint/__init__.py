"""The sha256 of everything that can change an output, and what changed since the last one."""
