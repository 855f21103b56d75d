"""Suppressing weak gradient directions under label noise, with the controls that make the comparison fair."""
