"""When a workload is ready and when it has failed: rules, one look, waiting, evidence."""
