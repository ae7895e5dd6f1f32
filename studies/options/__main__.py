"""``python -m studies.options``."""

from studies.options import main

main()
