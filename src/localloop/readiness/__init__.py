"""Readiness: pure predicates over objects, one look at a cluster, and the gate that waits.

``readiness`` judges one object by everything that was seen (``workloads`` and ``resources`` hold
the kinds, ``podrule`` and ``imageproof`` look at pods); ``observe`` fetches that once, ``run``
waits for it; ``evidence`` says why not.
"""
