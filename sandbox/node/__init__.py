"""Further machines: each a network and a mount namespace with its own containerd and kubelet, joined to a tenant."""
