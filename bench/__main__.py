"""`python -m bench`: measure in the sandbox, which must be up (`make sandbox-up`)."""

from bench.cli import main

main()
