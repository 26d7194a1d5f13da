"""Real servers for tests: for this project's own, for plugins' and as the parts the sandbox is put together from.

There is no fake API server and no fake store here. A test that needs one starts the real program, which takes
0.2 s (etcd) or 2.5 s (kube-apiserver with its etcd). A fault is made by stopping or pausing that program, or by a
proxy in front of it.
"""

from typing import TYPE_CHECKING, Any

from kamaji_core.testing.apiserver import ApiServer, ApiServerSettings, kube_apiserver
from kamaji_core.testing.etcd import EtcdServer, EtcdSettings, enable_authentication, etcd
from kamaji_core.testing.fault_proxy import FaultProxy
from kamaji_core.testing.faults import (
    CloseAtOnce,
    Cut,
    Delay,
    Drop,
    ErrorEvent,
    Fault,
    LoseAnswer,
    Refuse,
    Rule,
    ShortWatch,
    Stall,
)
from kamaji_core.testing.files import TlsFiles, write_key_pair, write_private
from kamaji_core.testing.managers import (
    ControllerManagerSettings,
    SchedulerSettings,
    kube_controller_manager,
    kube_scheduler,
)
from kamaji_core.testing.ports import free_port
from kamaji_core.testing.postgres import PostgresServer
from kamaji_core.testing.process import ServerProcess, ServerStartError
from kamaji_core.testing.programs import ProgramMissingError, program, programs_directory
from kamaji_core.testing.server import HttpReadiness, Readiness, Server, SocketReadiness
from kamaji_core.testing.waiting import connections_gone, until

if TYPE_CHECKING:
    from kamaji_core.testing.addon import AddonContract, AddonUnderTest
    from kamaji_core.testing.datastore import DatastoreContract

__all__ = [
    "AddonContract",
    "AddonUnderTest",
    "ApiServer",
    "ApiServerSettings",
    "CloseAtOnce",
    "ControllerManagerSettings",
    "Cut",
    "DatastoreContract",
    "Delay",
    "Drop",
    "ErrorEvent",
    "EtcdServer",
    "EtcdSettings",
    "Fault",
    "FaultProxy",
    "HttpReadiness",
    "LoseAnswer",
    "PostgresServer",
    "ProgramMissingError",
    "Readiness",
    "Refuse",
    "Rule",
    "SchedulerSettings",
    "Server",
    "ServerProcess",
    "ServerStartError",
    "ShortWatch",
    "SocketReadiness",
    "Stall",
    "TlsFiles",
    "connections_gone",
    "enable_authentication",
    "etcd",
    "free_port",
    "kube_apiserver",
    "kube_controller_manager",
    "kube_scheduler",
    "program",
    "programs_directory",
    "until",
    "write_key_pair",
    "write_private",
]


def __getattr__(name: str) -> Any:
    """Import the conformance kits when they are asked for: they need pytest, which the sandbox runs without."""
    if name == "DatastoreContract":
        from kamaji_core.testing.datastore import DatastoreContract  # noqa: PLC0415 - as said above

        return DatastoreContract
    if name in {"AddonContract", "AddonUnderTest"}:
        from kamaji_core.testing import addon  # noqa: PLC0415 - as said above

        return getattr(addon, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
