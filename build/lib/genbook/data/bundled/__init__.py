"""The one data set that comes with the package, beside its licence and the script that made it."""
