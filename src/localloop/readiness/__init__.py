"""Whether Kubernetes objects are ready or have failed: rules, one look, the gate, evidence."""
