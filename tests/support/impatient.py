"""The ``feedhub`` command with short waits, as a script: for tests of what comes after a wait."""

if __name__ == "__main__":
    from feedhub.__main__ import main
    from feedhub.runtime.hub import Waits

    main(
        waits=Waits(
            writer=0.5,
            other_publisher=1.0,
            tick=0.1,
            publish=0.3,
            publish_retry=0.2,
            store_retry=0.2,
            hub_retry=0.2,
            probe=0.5,
            takeover=3.0,
            grace=1.0,
            last_publish=5.0,
        )
    )
