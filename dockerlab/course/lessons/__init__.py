"""The outlines of the lessons, one module each."""
