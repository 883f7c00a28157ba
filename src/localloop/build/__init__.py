"""Building images: bake targets, one ``docker buildx bake``, its progress, its failures."""
