"""What changes mean: wordings, stages, sessions, citations and suggestions. Pure."""
