"""The command line: a file each command, which reads arguments, calls what does the work, and shows what came out.

Exit codes: 0 fine, 1 failure while running, 2 usage or bad config.
"""
