"""One live stream of each camera and its many readers: state, continuous time, key-frame cache, bounded queues."""
