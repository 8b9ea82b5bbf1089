"""What `demo.py` is made of: believable data, fake services, the workload, and the proof that nothing was lost."""
