"""Who somebody is, what they may do with which camera, and until when. Knows neither HTTP nor RTSP, which ask it."""
