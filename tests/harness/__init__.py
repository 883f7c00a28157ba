"""What the tests on a real cluster share: runs of the command, and views from outside.

Nothing here imports localloop: what a run claims is compared with what kubectl, helm, Docker and
the registry say.
"""
