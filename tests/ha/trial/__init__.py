"""What the cases run on: hosts that are network namespaces, with the rendered etcd and Patroni in process namespaces of their own."""
