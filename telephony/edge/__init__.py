"""The edges: sockets, worker processes and the one place where commands are performed."""
