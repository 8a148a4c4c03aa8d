"""``python -m feedhub`` is the same as the ``feedhub`` command."""

from feedhub.cli.main import main

if __name__ == "__main__":
    main()
