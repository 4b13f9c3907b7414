"""What a synthesizer may know of single people."""
