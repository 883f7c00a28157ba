"""Deciding what to do: a pure function of facts and request, and its result as data."""
