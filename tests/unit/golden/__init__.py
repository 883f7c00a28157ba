"""Object states whose verdict is known: each breaks one clause of an object that is ready.

``fixtures/readiness/bases`` holds ready objects, captured from clusters or made by hand after the
shape of other versions of Kubernetes (each file says which). ``fixtures/readiness/KIND.yaml`` lists
what each state changes of them, and the verdict. ``generated`` makes more of them, by chance.
"""
