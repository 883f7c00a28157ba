"""Charts released, rolled back and removed, with the hooks around them."""
