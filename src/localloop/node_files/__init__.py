"""Files on the nodes: put them there, and restart the pods that use them."""
