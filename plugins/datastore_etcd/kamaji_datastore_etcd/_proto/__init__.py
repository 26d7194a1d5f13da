"""Messages generated from `etcd_wire.proto` by `generate.py`; nothing here is written by hand but the two sources."""
