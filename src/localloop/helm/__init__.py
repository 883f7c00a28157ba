"""Helm: its command, and the releases that it stores, with their manifests and values."""
