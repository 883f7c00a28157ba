"""One connection to the API server: no client library, nothing imported that is not needed."""
