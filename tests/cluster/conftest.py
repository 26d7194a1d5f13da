"""Tests with real programs: `api_server` and `etcd_server` come from `kamaji_core.testing.fixtures`."""
