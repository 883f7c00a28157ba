"""Object states whose verdict is known: each breaks one condition of a ready object.

``fixtures/readiness/bases`` holds ready objects, captured from clusters or written by hand in the
form of other Kubernetes versions (each file says which). ``fixtures/readiness/KIND.yaml`` lists
what each state changes in them, and the verdict. ``generated`` makes more of them at random.
"""
