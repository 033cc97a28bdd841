"""Application load balancers that really take requests: HAProxy for these, a checker of our own for the targets' health."""
