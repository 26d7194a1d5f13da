"""Inside the tenants' clusters: what kubeadm leaves there and what add-ons want, kept by one light session each."""

from kamaji_core.soot.seen import Caches as SessionCaches
from kamaji_core.soot.session import LOOK_SECONDS
from kamaji_core.soot.sessions import Sessions

__all__ = ["LOOK_SECONDS", "SessionCaches", "Sessions"]
