"""The console: one page over the whole control plane. No build step, nothing from elsewhere."""
