"""Hosted control planes for Kubernetes: the core that knows no datastore driver and no add-on by name."""

__version__ = "0.1.0.dev0"
