"""The HTML report: one page of all photographs of a folder."""
