"""``python -m feedhub`` is the same as the ``feedhub`` command."""

from feedhub.cli.entry import main

if __name__ == "__main__":
    main()
