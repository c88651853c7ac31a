"""``python -m sendwright`` is the command line."""

from sendwright.cli import main

main()
