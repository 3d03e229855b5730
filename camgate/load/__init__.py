"""What this machine carries: measured, kept within limits by refusing joins, and by dropping the heaviest streams."""
