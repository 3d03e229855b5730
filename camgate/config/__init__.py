"""Settings: their shapes and defaults (`model`), and the road from a file and the environment to them (`load`)."""
