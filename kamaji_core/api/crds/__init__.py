"""The CustomResourceDefinitions as YAML, ready to be applied; generated, never edited.

They are files, so that a chart, a reader and `kubectl` need no Python; they are package data, so that the operator
can install exactly the definitions that its models were written for.
"""

from importlib import resources
from typing import Any

import yaml

SUFFIX = ".yaml"


def crd_manifests() -> list[dict[str, Any]]:
    """Read all CustomResourceDefinitions, in the order of their names."""
    files = (file for file in resources.files(__name__).iterdir() if file.name.endswith(SUFFIX))
    return [yaml.safe_load(file.read_text()) for file in sorted(files, key=lambda file: file.name)]
