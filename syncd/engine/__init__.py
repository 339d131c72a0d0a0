"""Where a run executes. `base` is the seam, `local` runs it in this process."""
