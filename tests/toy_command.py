"""genbook's command line with toy chapters in place of the real ones: a script, which workers import as well.

``TOY_NOTEBOOKS`` names the folder of their notebooks.
"""

import importlib
import os
from pathlib import Path

from genbook.book import execute

execute.notebooks_root = lambda: Path(os.environ["TOY_NOTEBOOKS"])
told = importlib.import_module("genbook.results.chapters")
told.chapters = execute.chapters = lambda: sorted(path.stem for path in execute.notebooks_root().glob("*.ipynb"))
told.studies_of = lambda chapter: []
execute.requests = importlib.import_module("genbook.results.requests").requests = lambda chapter, parameters: {}
execute.execution_key = lambda chapter, parameters: "key"

if __name__ == "__main__":
    # Imported here, after the functions have been replaced that these modules import by name.
    from genbook.__main__ import main
    from genbook.book import build

    assert build.execution_key is execute.execution_key
    main()
