"""`python -m kamaji_core` is the `kamaji` command."""

from kamaji_core.cli import main

main()
