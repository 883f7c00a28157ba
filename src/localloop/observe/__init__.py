"""The facts that a plan is made from: record, registry, releases, objects and pods as they are."""
