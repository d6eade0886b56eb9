"""`magenet serve`: the enhancer behind a local web page and a REST API."""
