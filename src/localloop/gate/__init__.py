"""The readiness gate of a plan, and settling the record after it."""
