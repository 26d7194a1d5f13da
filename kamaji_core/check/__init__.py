"""What a store is good for, found out through a real kube-apiserver: a tenant for a while, a bounded load, a verdict.

A login tells that a store is there. Whether it carries a control plane - writes in time, watches that miss nothing,
lists of thousands of objects, compaction - shows only when kube-apiserver works on it, so one does.
"""

from kamaji_core.check.check import CheckSettings, check_store
from kamaji_core.check.load import LoadSettings
from kamaji_core.check.report import Measures, as_json, as_table
from kamaji_core.check.stand import CheckError, StandSettings

__all__ = [
    "CheckError",
    "CheckSettings",
    "LoadSettings",
    "Measures",
    "StandSettings",
    "as_json",
    "as_table",
    "check_store",
]
