"""Three real systemd hosts with real Podman on one machine, and what scenarios need to work them."""
