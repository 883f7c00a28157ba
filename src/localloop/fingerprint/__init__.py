"""Fingerprints: a sha256 of everything that can change an output, and why one differs."""
