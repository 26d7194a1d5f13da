"""Private material that a pass needs and no cache keeps: read by name, only when something must be signed or told.

In a pass that finds everything in order, nothing here sends a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.certificates import AuthorityWanted, KubeconfigWanted, LeafWanted, keeps_its_key
from kamaji_core.kube import SECRETS
from kamaji_core.render import object_name
from kamaji_core.tenant.facts import STORE_CERTIFICATE, STORE_CONFIG

if TYPE_CHECKING:
    from kamaji_core.kube import KubeClient
    from kamaji_core.tenant.facts import Facts
    from kamaji_core.tenant.judge import Assessment


async def with_private_material(client: KubeClient, facts: Facts, assessment: Assessment) -> Facts:
    """Read the key pairs of authorities that must sign, and the store credentials that must be told or renewed.

    Raises:
        ApiError: when the API server cannot be asked.
    """
    needed = set()
    for verdict in assessment.material.to_issue():
        wanted = verdict.wanted
        if isinstance(wanted, LeafWanted | KubeconfigWanted):
            needed.add(wanted.authority)
        elif isinstance(wanted, AuthorityWanted) and keeps_its_key(facts.secrets.get(wanted.suffix)):
            needed.add(wanted.suffix)
    stored = {STORE_CONFIG, STORE_CERTIFICATE}
    if (
        assessment.credentials_due or assessment.ensure_due or assessment.settle_due
    ) and stored <= facts.secrets.keys():
        needed |= stored
    for suffix in sorted(needed - facts.private.keys()):
        name, namespace = object_name(facts.tenant, suffix), facts.tenant.metadata.namespace
        facts = facts.with_object({"kind": SECRETS.kind, **await client.get(SECRETS, name, namespace)})
    return facts
