"""The commands of `localloop`, a file each: its options, `add_arguments` and `run`."""
