"""Drivers with one fault each, made from etcd's: what the conformance kit must catch."""
