"""The API that users see: the custom resources as typed models, their rules, and the YAML that installs them.

Group, version, names, fields and defaults are Kamaji's, so that its users and its tools keep working. Models are
decoded, never written back: what is written is applied field by field, since a model knows only the fields we read.
"""
