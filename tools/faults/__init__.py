"""What happens to an index when its process is killed, or its disk fails."""
