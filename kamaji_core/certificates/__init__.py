"""Policy about a tenant's keys and certificates: what is good, what is due, what to issue.

Pure: it judges facts about existing Secrets and makes the content of new ones; reading and writing Secrets is the
business of `kamaji_core.tenant`.
"""

from kamaji_core.certificates.facts import KubeconfigFacts, SecretFacts, checksum, read_secret, secret_data
from kamaji_core.certificates.judge import Action, Judgement, Verdict, judge, keeps_its_key, rotation_requested
from kamaji_core.certificates.material import (
    AUTHORITIES,
    AuthorityWanted,
    ControlPlaneNames,
    KubeconfigWanted,
    LeafWanted,
    MaterialSpec,
    ServiceAccountKeyWanted,
    issue_authority,
    issue_kubeconfigs,
    issue_leaf,
    issue_service_account_key,
    renew_authority,
    wanted_material,
)
from kamaji_core.certificates.plugins import LEAF_FILE, plugin_material

__all__ = [
    "AUTHORITIES",
    "LEAF_FILE",
    "Action",
    "AuthorityWanted",
    "ControlPlaneNames",
    "Judgement",
    "KubeconfigFacts",
    "KubeconfigWanted",
    "LeafWanted",
    "MaterialSpec",
    "SecretFacts",
    "ServiceAccountKeyWanted",
    "Verdict",
    "checksum",
    "issue_authority",
    "issue_kubeconfigs",
    "issue_leaf",
    "issue_service_account_key",
    "judge",
    "keeps_its_key",
    "plugin_material",
    "read_secret",
    "renew_authority",
    "rotation_requested",
    "secret_data",
    "wanted_material",
]
