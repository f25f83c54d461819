"""HTML building blocks for the reports: strings in, strings out."""
