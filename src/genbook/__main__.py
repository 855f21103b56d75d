"""``python -m genbook``."""

from genbook.cli import main

main()
