"""The steps of the loop, one a module: its argument spec, and `run(params, context)`."""
