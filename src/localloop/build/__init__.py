"""Builds: bake targets, one `docker buildx bake`, its progress, and what a failure costs."""
