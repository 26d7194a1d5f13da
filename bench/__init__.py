"""Measurements as commands: `python -m bench --help`. Nothing here is a test; figures go into docs/benchmarks.md."""
