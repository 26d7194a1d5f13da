"""A real management cluster on one machine: no container engine, no registry, nothing left behind.

Everything the sandbox starts is an unmodified program: etcd, the Kubernetes components, CoreDNS, containerd and
runc. It lives in a network namespace, a mount namespace and a cgroup of its own, so that whatever else the machine
runs does not meet it, and so that taking it down is ending its processes and dropping the namespaces.
"""
