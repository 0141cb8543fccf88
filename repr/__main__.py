"""`python -m repr`, which is also what torchrun starts: `torchrun --nproc-per-node 8 -m repr pretrain …`."""

from repr.cli import main

main()
