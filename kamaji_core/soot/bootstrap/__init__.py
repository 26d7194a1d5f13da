"""What kubeadm's `init` leaves in a new cluster, without which no machine can join: planned by pure functions."""

from kamaji_core.soot.bootstrap.kubelet import KubeletPatchError
from kamaji_core.soot.bootstrap.objects import bootstrap_objects

__all__ = ["KubeletPatchError", "bootstrap_objects"]
