"""A Kubernetes API client without a client library, which keeps imports few."""
