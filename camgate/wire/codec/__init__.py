"""H.264 and H.265: RTP packets to frames and back, parameter sets, and what they tell of the picture."""
