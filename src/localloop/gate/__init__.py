"""The gate of a plan, and the record settled after it."""
