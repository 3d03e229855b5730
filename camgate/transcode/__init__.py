"""Pictures and sound in another form: snapshots, transcoding; in processes of their own (docs/design/transcode.md)."""
