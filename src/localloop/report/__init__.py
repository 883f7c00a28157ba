"""The journal of a run, and its report as JSON and as markdown."""
