"""Names that other programs rely on: API group, labels, annotations, finalizers, field owner.

They are wire format. Kamaji's are kept to the letter, so that its objects can be taken over, its selectors go on
matching and its finalizers get removed by whoever runs; those marked as ours have no counterpart there.
"""

GROUP = "kamaji.clastix.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
"""The value of `apiVersion` in objects of ours."""

FIELD_OWNER = "kamaji"
"""Manager of the fields that we apply, in the management cluster and in tenants."""

PROJECT_LABEL = "kamaji.clastix.io/project"
"""On every object that we own, with the value `PROJECT`; our watches select by it."""

PROJECT = "kamaji"

NAME_LABEL = "kamaji.clastix.io/name"
"""Name of the TenantControlPlane; also the only label that the Deployment and the Service select pods by."""

COMPONENT_LABEL = "kamaji.clastix.io/component"
"""Which of a tenant's objects it is."""

CERTIFICATE_LIFECYCLE_LABEL = "kamaji.clastix.io/certificate_lifecycle_controller"
"""On Secrets whose content ends: `x509` or `kubeconfig`."""

CHECKSUM_ANNOTATION = "kamaji.clastix.io/checksum"
"""MD5 over an object's values in the order of their keys; written for readers, never judged by."""

ROTATE_ANNOTATION = "certs.kamaji.clastix.io/rotate"
"""On Secrets of certificates: empty asks for new content; a time tells when that was done.

An authority keeps its key then, so that machines and clients that trust it go on; `NEW_KEY` asks for another.
"""

NEW_KEY = "new-key"
"""Value of `ROTATE_ANNOTATION` on an authority's Secret: all that trusts the earlier key must be told of it."""

PAUSED_ANNOTATION = "kamaji.clastix.io/paused"
"""Its presence alone stops all work on an object, but for its deletion."""

COMPONENT_DIGEST_PREFIX = "component.kamaji.clastix.io/"
"""Prefix of the pod template's digests: Kamaji's are labels, ours annotations."""

STORE_DIGEST_ANNOTATION = "storage.kamaji.clastix.io/digest"
"""Ours: the state of the DataStore for which a tenant's store credentials were issued."""

UNSETTLED_ANNOTATION = "storage.kamaji.clastix.io/unsettled"
"""Ours, on the Secret of a tenant's store login: pods may still run with an earlier login, which the store keeps."""

TENANT_FINALIZER = "finalizer.kamaji.clastix.io"
"""On a TenantControlPlane while it has data in a store."""

DATASTORE_FINALIZER = "kamaji.clastix.io/TenantControlPlane"
"""On a DataStore, so that it outlives the tenants that use it."""

INPUTS_ANNOTATION = "kamaji.clastix.io/inputs"
"""Ours, on the Deployment: digest of everything that its pods were rendered from."""

RENDERER_ANNOTATION = "kamaji.clastix.io/renderer"
"""Ours, on the Deployment: revision of the renderer; one of an older revision is kept until its inputs change."""

RENDER_ANNOTATION = "kamaji.clastix.io/render"
"""Ours, on a TenantControlPlane: another value asks for the pods to be rendered anew, which rolls them."""

ABANDON_ANNOTATION = "kamaji.clastix.io/abandon-data"
"""Ours, on a TenantControlPlane that is being deleted: release it although its store cannot be reached."""

BOOTS_ANNOTATION = "kamaji.clastix.io/max-concurrent-boots"
"""Ours, on a DataStore: how many of its tenants' control planes may start at once, within the operator's own limit."""

ADDON_LABEL = "kamaji.clastix.io/addon"
"""Ours, on objects inside a tenant's cluster: the add-on that wants them, whose going removes them."""

RESTART_ANNOTATION = "kamaji.clastix.io/restart-digest"
"""Ours, in the pod template of an add-on: digest of what its pods read only when they start."""

KUBECONFIG_KEY_ANNOTATION = "kamaji.clastix.io/kubeconfig-secret-key"
"""On a TenantControlPlane: key of the admin Secret with which the operator works in the tenant's cluster."""
