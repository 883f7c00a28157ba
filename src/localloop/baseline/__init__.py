"""The baseline harness: the project's commands timed in cold, warm and full caches."""
