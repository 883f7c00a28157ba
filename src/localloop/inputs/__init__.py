"""What a component reads: Dockerfile, ignore files, tree walk."""
