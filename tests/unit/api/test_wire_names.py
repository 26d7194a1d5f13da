"""Names that other programs rely on."""

from kamaji_core.api import datastore, labels
from kamaji_core.api.conditions import DataStoreReason
from kamaji_core.api.tenant_status import VersionStatus


def test_wire_names_are_kamajis() -> None:
    """A change of any of these would orphan objects of a running installation."""
    assert labels.API_VERSION == "kamaji.clastix.io/v1alpha1"
    assert labels.FIELD_OWNER == "kamaji"
    assert (labels.PROJECT_LABEL, labels.PROJECT) == ("kamaji.clastix.io/project", "kamaji")
    assert labels.NAME_LABEL == "kamaji.clastix.io/name"
    assert labels.COMPONENT_LABEL == "kamaji.clastix.io/component"
    assert labels.CERTIFICATE_LIFECYCLE_LABEL == "kamaji.clastix.io/certificate_lifecycle_controller"
    assert labels.CHECKSUM_ANNOTATION == "kamaji.clastix.io/checksum"
    assert labels.COMPONENT_DIGEST_PREFIX == "component.kamaji.clastix.io/"
    assert labels.TENANT_FINALIZER == "finalizer.kamaji.clastix.io"
    assert labels.DATASTORE_FINALIZER == "kamaji.clastix.io/TenantControlPlane"


def test_kamajis_conditions_of_a_datastore_keep_their_names() -> None:
    """Scripts that wait for a DataStore go on working."""
    assert datastore.VALIDATION_CONDITION == "kamaji.clastix.io/DataStoreValidation"
    assert datastore.DELETION_CONDITION == "kamaji.clastix.io/DataStoreAllowedDeletion"
    assert {
        "BasicAuthValidationFailed",
        "TLSConfigurationValidationFailed",
        "DataStoreIsValid",
        "DataStoreStillUsed",
        "DataStoreUnused",
    } <= set(DataStoreReason)


def test_the_states_of_a_control_plane_are_kamajis() -> None:
    """All nine, also those that this operator does not reach yet: they may stand in a status that it takes over."""
    assert set(VersionStatus) == {
        "Unknown",
        "Provisioning",
        "CertificateAuthorityRotating",
        "Upgrading",
        "Migrating",
        "Ready",
        "NotReady",
        "Sleeping",
        "WriteLimited",
    }
