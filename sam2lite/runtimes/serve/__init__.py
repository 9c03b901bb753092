"""A page to click on: the live picture with its masks, by the standard library's HTTP server."""
