"""What moto's EC2 gets wrong or leaves out, for those who launch and watch instances."""
