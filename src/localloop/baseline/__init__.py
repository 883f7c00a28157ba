"""The baseline: how long each part of the loop takes, with cold and with warm caches."""
