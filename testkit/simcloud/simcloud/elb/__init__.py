"""What moto's ELBv2 gets wrong or leaves out for application load balancers."""
