"""A user's own video: prompts, tracking, video files, the web page."""
