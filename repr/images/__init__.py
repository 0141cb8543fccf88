"""Images: file → decoded image → packed uint8 → views of a batch."""
