"""`localloop.yml` as a checked `Project`, and the JSON Schema that it is checked against."""
