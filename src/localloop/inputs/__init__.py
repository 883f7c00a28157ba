"""What a component is made from: Dockerfiles, ignore files, and the walk over its inputs."""
