"""The image registry's HTTP API, and the names under which images are published."""
