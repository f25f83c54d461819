"""What all reports share: base template and macros, filters for numbers, figures and their colours."""
