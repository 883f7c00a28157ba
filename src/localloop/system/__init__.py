"""The machine: processes, locks, paths, environment, Docker, and what a host lacks."""
