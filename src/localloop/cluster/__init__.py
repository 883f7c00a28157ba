"""The cluster as Docker and its API server show it: containers, nodes, ports and identity."""
