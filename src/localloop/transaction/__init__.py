"""One run from its locks to its report, whoever started it."""
