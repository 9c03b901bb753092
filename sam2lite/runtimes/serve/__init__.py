"""A page to click on: the live picture with its masks, over HTTP, from the standard library alone."""
