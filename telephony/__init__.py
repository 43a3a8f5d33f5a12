"""The SIP and WebRTC media server: signalling, media, queues and the switchboard that joins them."""
