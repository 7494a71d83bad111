"""Floor 2: what each model is shown, as tables that fine-tuning reads at a pinned version."""
