"""Reading tidy tables: what is measured (quantities), what is read off a curve (readings), what a claim compares."""
