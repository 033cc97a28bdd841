"""A simulated AWS region for tests: control plane, machines and load balancers in one process. See ../README.md."""
