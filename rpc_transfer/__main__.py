"""`python -m rpc_transfer`, the command without its script."""

from rpc_transfer.cli import main

main()
