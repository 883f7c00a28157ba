"""localloop: the local Kubernetes deploy loop, declared."""

__version__ = "0.1.0"
