"""The TenantControlPlane controller: facts, judge, plan, act, report; one file each.

A pass gathers facts once, then acts in waves: what one wave answers is folded into the facts for the next, nothing is
read again to learn what was just written, and one status patch goes out at the end.
"""

from kamaji_core.tenant.controller import TenantController

__all__ = ["TenantController"]
