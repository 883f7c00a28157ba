"""Publishing images under immutable tags: push, verify, prune."""
