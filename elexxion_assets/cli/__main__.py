"""`python -m elexxion_assets.cli`."""

from elexxion_assets.cli import main

main()
