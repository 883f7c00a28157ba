"""The record in the cluster: what it is known to run, by compare-and-swap."""
