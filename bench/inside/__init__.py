"""What the operator does inside tenants' clusters: how soon it is done, how soon it is put back, and what it costs."""
