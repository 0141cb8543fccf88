"""Pictures: file → decoded picture → packed uint8 → views of a batch."""
