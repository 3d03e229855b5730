"""To the viewers: pages and signaling (`http`), media over WebRTC (`webrtc`), streams to RTSP clients (`rtsp`)."""
