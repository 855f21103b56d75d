"""The book: chapters executed, pages written, the whole built and put in place."""

import sys

# jsonschema, which nbformat and Jupyter Book import, would compile 38 grammars for formats (IRIs) that no schema of
# theirs asks for: 1.5 s in each of a build's processes. It does without where there is no such module.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
