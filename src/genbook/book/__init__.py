"""The book: chapters executed, pages written, the whole built and put in place."""
