"""Helm: its command, its stored releases, their manifests and values."""
