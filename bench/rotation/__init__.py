"""What tenants' users notice while their store's login, certificate authority and passwords change."""
