"""Options that several commands share."""

from __future__ import annotations

import click

kubeconfig_option = click.option(
    "--kubeconfig",
    "kubeconfig_path",
    metavar="FILE",
    help="How to reach the management cluster; default: $KUBECONFIG, the pod's own account, ~/.kube/config.",
)
