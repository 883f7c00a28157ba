"""The record in the cluster: what the cluster is known to run, changed by compare-and-swap."""
