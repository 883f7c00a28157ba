"""Files on the nodes: put, and the pods that use them restarted."""
