"""Export of a page that enhances photographs in the visitor's own browser, without a server."""
