"""Training: one loop around any method (`fit.pretrain`) and one small in-memory loop for classifiers (`finetune.fit_classifier`)."""
