"""One run, from its locks to its report, whether the command or a playbook started it."""
