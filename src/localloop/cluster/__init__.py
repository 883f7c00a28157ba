"""The cluster as Docker and its API server show it: its containers, nodes, ports and identity."""
