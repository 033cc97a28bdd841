"""What instances are made of: namespaces with a network, a root file system, metadata, and a firewall between them."""
